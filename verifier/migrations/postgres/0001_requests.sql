-- Every row belongs to one service (the tenant) and every query names it or a keyed tag that only its
-- request has. Tags are HMACs under the server key; `sealed` is AES-256-GCM under a key kept outside the
-- database, bound to the table and the row. No attribute value and no presentation is ever stored.
-- Keys that are text compare by their octets: an index does not depend on the server's language tables.

-- What many requests share: the policy, purpose and register extracts as sent. Public, content-addressed.
CREATE TABLE asked (
    service_id  TEXT COLLATE "C" NOT NULL,
    digest      BYTEA NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (service_id, digest)
);

CREATE TABLE requests (
    service_id     TEXT COLLATE "C" NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    asked_digest   BYTEA NOT NULL,
    policy_id      TEXT COLLATE "C" NOT NULL,
    flow           TEXT NOT NULL CHECK (flow IN ('same_device', 'cross_device')),
    status         TEXT NOT NULL CHECK (status IN ('open', 'answered', 'decided')),
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    -- When the sweep may close it: `expires_at`, or a little later once answered and waiting for the return.
    close_at       BIGINT NOT NULL,
    handle_tag     BYTEA NOT NULL UNIQUE,
    page_tag       BYTEA NOT NULL UNIQUE,
    nonce_tag      BYTEA NOT NULL,
    state_tag      BYTEA NOT NULL,
    -- Nonce, state, response key, handles and what the service expects; NULL once closed.
    sealed         BYTEA,
    code_tag       BYTEA,
    code_until     BIGINT NOT NULL,
    session_tag    BYTEA,
    response_tag   BYTEA,
    error_seen     BOOLEAN NOT NULL DEFAULT FALSE,
    attempts       BIGINT NOT NULL DEFAULT 0,
    fence          BIGINT NOT NULL DEFAULT 0,
    lease_until    BIGINT NOT NULL DEFAULT 0,
    -- What was found, from the answer until the decision; codes alone.
    finding        TEXT,
    outcome        TEXT,
    ref            TEXT,
    ref_salt       BYTEA,
    PRIMARY KEY (service_id, id)
);

CREATE UNIQUE INDEX requests_by_code ON requests (code_tag) WHERE code_tag IS NOT NULL;
CREATE INDEX requests_due ON requests (close_at) WHERE status <> 'decided';

-- Values that may be used once, for ever: the nonce and the state of every decided request.
CREATE TABLE spent (
    kind        TEXT COLLATE "C" NOT NULL,
    tag         BYTEA NOT NULL,
    service_id  TEXT COLLATE "C" NOT NULL,
    request_id  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, tag)
);

-- The decision as it is signed: the exact JWS signing input. The signature is made from what is stored here.
CREATE TABLE decisions (
    service_id     TEXT COLLATE "C" NOT NULL,
    request_id     TEXT COLLATE "C" NOT NULL,
    jti            TEXT COLLATE "C" NOT NULL UNIQUE,
    signing_input  TEXT NOT NULL,
    decided_at     BIGINT NOT NULL,
    PRIMARY KEY (service_id, request_id)
);

-- Positions rise, with gaps, and a lower one may become visible after a higher: who reads on must not skip it.
CREATE TABLE log_leaves (
    position    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id  TEXT COLLATE "C" NOT NULL,
    leaf        BYTEA NOT NULL UNIQUE
);

CREATE TABLE outbox (
    position      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id    TEXT COLLATE "C" NOT NULL,
    request_id    TEXT COLLATE "C" NOT NULL,
    topic         TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    delivered_at  BIGINT
);

-- Guessing, counted by the minute under a keyed tag of the sender's address prefix, never the address.
CREATE TABLE misses (
    prefix_tag  BYTEA NOT NULL,
    minute      BIGINT NOT NULL,
    count       BIGINT NOT NULL,
    PRIMARY KEY (prefix_tag, minute)
);

CREATE INDEX misses_by_minute ON misses (minute);

-- The newest register seen, so that an older one is refused after a restart too.
CREATE TABLE register_seen (
    registrar    TEXT COLLATE "C" PRIMARY KEY,
    reg_version  BIGINT NOT NULL
);
