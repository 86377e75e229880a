-- The register, its imports, offers, access tokens and what was issued.
-- People, codes, handles, tokens and nonces appear as HMACs under the server's key; attribute values are sealed
-- under a key outside the database. No credential, seed, commitment or opening is ever stored.
-- Keys that are text compare by their octets: an index does not depend on the server's language tables.

CREATE TABLE import (
    id            BYTEA PRIMARY KEY CHECK (length(id) = 32),
    type_id       TEXT COLLATE "C" NOT NULL,
    facts_as_of   TEXT NOT NULL,
    records_read  BIGINT NOT NULL DEFAULT 0,
    added         BIGINT NOT NULL DEFAULT 0,
    updated       BIGINT NOT NULL DEFAULT 0,
    rejected      BIGINT NOT NULL DEFAULT 0,
    finished      BOOLEAN NOT NULL DEFAULT FALSE,
    started_at    BIGINT NOT NULL
);

CREATE TABLE import_error (
    import_id   BYTEA NOT NULL REFERENCES import (id),
    line        BIGINT NOT NULL,
    column_name TEXT COLLATE "C" NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (import_id, line, column_name)
);

CREATE TABLE person (
    type_id     TEXT COLLATE "C" NOT NULL,
    person      BYTEA NOT NULL CHECK (length(person) = 32),
    sealed      BYTEA NOT NULL,
    facts_as_of TEXT NOT NULL,
    import_id   BYTEA NOT NULL REFERENCES import (id),
    revision    BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (type_id, person)
);

CREATE TABLE offer (
    code        BYTEA PRIMARY KEY CHECK (length(code) = 32),
    handle      BYTEA NOT NULL UNIQUE CHECK (length(handle) = 32),
    tx_code     BYTEA NOT NULL CHECK (length(tx_code) = 32),
    type_id     TEXT COLLATE "C" NOT NULL,
    person      BYTEA NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('plain', 'proof')),
    stage       TEXT NOT NULL CHECK (stage IN ('open', 'spent', 'closed')),
    misses      BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    FOREIGN KEY (type_id, person) REFERENCES person (type_id, person)
);

-- Codes that no offer has. Counted so that an unknown code costs the same single write as a wrong transaction code.
CREATE TABLE unknown_code (
    "only" BIGINT PRIMARY KEY CHECK ("only" = 1),
    misses BIGINT NOT NULL
);

INSERT INTO unknown_code ("only", misses) VALUES (1, 0);

CREATE TABLE access_token (
    token      BYTEA PRIMARY KEY CHECK (length(token) = 32),
    offer      BYTEA NOT NULL REFERENCES offer (code),
    spent      BOOLEAN NOT NULL DEFAULT FALSE,
    expires_at BIGINT NOT NULL
);

CREATE TABLE spent_nonce (
    nonce      BYTEA PRIMARY KEY CHECK (length(nonce) = 32),
    expires_at BIGINT NOT NULL
);

CREATE INDEX spent_nonce_expiry ON spent_nonce (expires_at);

-- One row a batch: how many copies, never which.
CREATE TABLE issuance (
    offer     BYTEA PRIMARY KEY REFERENCES offer (code),
    copies    BIGINT NOT NULL CHECK (copies > 0),
    issued_at BIGINT NOT NULL
);
