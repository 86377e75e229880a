-- Every row belongs to one service (the tenant) and every query names it or a keyed tag that only its
-- request has. Tags are HMACs under the server key; `sealed` is AES-256-GCM under a key kept outside the
-- database, bound to the table and the row. No attribute value and no presentation is ever stored.

-- What many requests share: the policy, purpose and register extracts as sent. Public, content-addressed.
CREATE TABLE asked (
    service_id  TEXT NOT NULL,
    digest      BLOB NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (service_id, digest)
) STRICT;

CREATE TABLE requests (
    service_id     TEXT NOT NULL,
    id             TEXT NOT NULL,
    asked_digest   BLOB NOT NULL,
    policy_id      TEXT NOT NULL,
    flow           TEXT NOT NULL CHECK (flow IN ('same_device', 'cross_device')),
    status         TEXT NOT NULL CHECK (status IN ('open', 'answered', 'decided')),
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    -- When the sweep may close it: `expires_at`, or a little later once answered and waiting for the return.
    close_at       INTEGER NOT NULL,
    handle_tag     BLOB NOT NULL UNIQUE,
    page_tag       BLOB NOT NULL UNIQUE,
    nonce_tag      BLOB NOT NULL,
    state_tag      BLOB NOT NULL,
    -- Nonce, state, response key, handles and what the service expects; NULL once closed.
    sealed         BLOB,
    code_tag       BLOB,
    code_until     INTEGER NOT NULL,
    session_tag    BLOB,
    response_tag   BLOB,
    error_seen     INTEGER NOT NULL DEFAULT 0 CHECK (error_seen IN (0, 1)),
    attempts       INTEGER NOT NULL DEFAULT 0,
    fence          INTEGER NOT NULL DEFAULT 0,
    lease_until    INTEGER NOT NULL DEFAULT 0,
    -- What was found, from the answer until the decision; codes alone.
    finding        TEXT,
    outcome        TEXT,
    ref            TEXT,
    ref_salt       BLOB,
    PRIMARY KEY (service_id, id)
) STRICT;

CREATE UNIQUE INDEX requests_by_code ON requests (code_tag) WHERE code_tag IS NOT NULL;
CREATE INDEX requests_due ON requests (close_at) WHERE status <> 'decided';

-- Values that may be used once, for ever: the nonce and the state of every decided request.
CREATE TABLE spent (
    kind        TEXT NOT NULL,
    tag         BLOB NOT NULL,
    service_id  TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    PRIMARY KEY (kind, tag)
) STRICT, WITHOUT ROWID;

-- The decision as it is signed: the exact JWS signing input. The signature is made from what is stored here.
CREATE TABLE decisions (
    service_id     TEXT NOT NULL,
    request_id     TEXT NOT NULL,
    jti            TEXT NOT NULL UNIQUE,
    signing_input  TEXT NOT NULL,
    decided_at     INTEGER NOT NULL,
    PRIMARY KEY (service_id, request_id)
) STRICT;

CREATE TABLE log_leaves (
    position    INTEGER PRIMARY KEY AUTOINCREMENT,
    service_id  TEXT NOT NULL,
    leaf        BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE outbox (
    position      INTEGER PRIMARY KEY AUTOINCREMENT,
    service_id    TEXT NOT NULL,
    request_id    TEXT NOT NULL,
    topic         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    delivered_at  INTEGER
) STRICT;

-- Guessing, counted by the minute under a keyed tag of the sender's address prefix, never the address.
CREATE TABLE misses (
    prefix_tag  BLOB NOT NULL,
    minute      INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (prefix_tag, minute)
) STRICT, WITHOUT ROWID;

-- The newest register seen, so that an older one is refused after a restart too.
CREATE TABLE register_seen (
    registrar    TEXT PRIMARY KEY,
    reg_version  INTEGER NOT NULL
) STRICT;
