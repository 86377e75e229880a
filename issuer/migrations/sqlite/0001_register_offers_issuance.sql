-- The register, its imports, offers, access tokens and what was issued.
-- People, codes, handles, tokens and nonces appear as HMACs under the server's key; attribute values are sealed
-- under a key outside the database. No credential, seed, commitment or opening is ever stored.

CREATE TABLE import (
    id            BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 32),
    type_id       TEXT NOT NULL,
    facts_as_of   TEXT NOT NULL,
    records_read  INTEGER NOT NULL DEFAULT 0,
    added         INTEGER NOT NULL DEFAULT 0,
    updated       INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    finished      INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1)),
    started_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE import_error (
    import_id   BLOB NOT NULL REFERENCES import (id),
    line        INTEGER NOT NULL,
    column_name TEXT NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (import_id, line, column_name)
) STRICT;

CREATE TABLE person (
    type_id     TEXT NOT NULL,
    person      BLOB NOT NULL CHECK (length(person) = 32),
    sealed      BLOB NOT NULL,
    facts_as_of TEXT NOT NULL,
    import_id   BLOB NOT NULL REFERENCES import (id),
    revision    INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (type_id, person)
) STRICT;

CREATE TABLE offer (
    code        BLOB PRIMARY KEY NOT NULL CHECK (length(code) = 32),
    handle      BLOB NOT NULL UNIQUE CHECK (length(handle) = 32),
    tx_code     BLOB NOT NULL CHECK (length(tx_code) = 32),
    type_id     TEXT NOT NULL,
    person      BLOB NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('plain', 'proof')),
    stage       TEXT NOT NULL CHECK (stage IN ('open', 'spent', 'closed')),
    misses      INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    FOREIGN KEY (type_id, person) REFERENCES person (type_id, person)
) STRICT;

-- Codes that no offer has. Counted so that an unknown code costs the same single write as a wrong transaction code.
CREATE TABLE unknown_code (
    only   INTEGER PRIMARY KEY NOT NULL CHECK (only = 1),
    misses INTEGER NOT NULL
) STRICT;

INSERT INTO unknown_code (only, misses) VALUES (1, 0);

CREATE TABLE access_token (
    token      BLOB PRIMARY KEY NOT NULL CHECK (length(token) = 32),
    offer      BLOB NOT NULL REFERENCES offer (code),
    spent      INTEGER NOT NULL DEFAULT 0 CHECK (spent IN (0, 1)),
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE spent_nonce (
    nonce      BLOB PRIMARY KEY NOT NULL CHECK (length(nonce) = 32),
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX spent_nonce_expiry ON spent_nonce (expires_at);

-- One row a batch: how many copies, never which.
CREATE TABLE issuance (
    offer     BLOB PRIMARY KEY NOT NULL REFERENCES offer (code),
    copies    INTEGER NOT NULL CHECK (copies > 0),
    issued_at INTEGER NOT NULL
) STRICT;
