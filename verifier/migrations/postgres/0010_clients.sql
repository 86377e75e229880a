-- The systems of services: their access tokens, what may be used once, and the keys of calls that may be repeated.
-- Tokens, values and keys are HMACs under the server key; what a repeated call is answered with is made again from the
-- request's own sealed secrets, and is gone with them.

-- Test and live are tenants apart. Before this column only test services could ask, and a version without it still may
-- while this one comes: hence the default.
ALTER TABLE requests ADD COLUMN env TEXT NOT NULL DEFAULT 'test' CHECK (env IN ('test', 'live'));
CREATE INDEX requests_newest ON requests (service_id, env, created_at, id);
CREATE INDEX requests_by_status ON requests (service_id, env, status, created_at, id);

CREATE TABLE tokens (
    tag             BYTEA NOT NULL PRIMARY KEY,
    client_id       TEXT COLLATE "C" NOT NULL,
    service_id      TEXT COLLATE "C" NOT NULL,
    env             TEXT NOT NULL CHECK (env IN ('test', 'live')),
    scopes          TEXT NOT NULL,
    -- The key that its user must show, where it is bound to one.
    key_thumbprint  BYTEA,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX tokens_over ON tokens (expires_at);

-- The ids of client assertions and of proofs of possession, until they would be too old anyway.
CREATE TABLE used (
    tag         BYTEA NOT NULL PRIMARY KEY,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX used_over ON used (expires_at);

CREATE TABLE attempts (
    service_id  TEXT COLLATE "C" NOT NULL,
    env         TEXT NOT NULL CHECK (env IN ('test', 'live')),
    key_tag     BYTEA NOT NULL,
    body_tag    BYTEA NOT NULL,
    request_id  TEXT COLLATE "C" NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (service_id, env, key_tag)
);
CREATE INDEX attempts_over ON attempts (expires_at);
