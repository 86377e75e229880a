-- What the verifier stated to be in force: each time that the digest under a name is another than before. `jws` is the signed
-- statement with the tag that binds it to its row; its entry stands in the log, of no service.
CREATE TABLE notices (
    position  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what      TEXT NOT NULL CHECK (what IN ('policy', 'register', 'key')),
    id        TEXT NOT NULL,
    digest    BYTEA NOT NULL,
    jti       TEXT NOT NULL UNIQUE,
    jws       TEXT NOT NULL
);
CREATE INDEX notices_newest ON notices (what, id, position);
