-- What residents permitted beside an answer, until its retention is over (specs/profiles/permission.md). The permission's key and
-- the code of its letter stand here as HMACs. Of a payment there is neither amount nor payee: its record has the salted digest.
CREATE TABLE permissions (
    service_id      TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    env             TEXT NOT NULL CHECK (env IN ('test', 'live')),
    key_tag         BYTEA NOT NULL UNIQUE,
    code_tag        BYTEA NOT NULL UNIQUE,
    policy_id       TEXT COLLATE "C" NOT NULL,
    policy_digest   TEXT COLLATE "C" NOT NULL,
    -- The question under which it was given: policy, purpose and service as they were then.
    asked_digest    BYTEA NOT NULL,
    given_at        BIGINT NOT NULL,
    -- Days are numbered from 1970-01-01. The day of asking, the last day, and the day of the last asking under it.
    given_day       BIGINT NOT NULL,
    until_day       BIGINT NOT NULL,
    asked_day       BIGINT NOT NULL,
    every_days      BIGINT NOT NULL,
    uses_left       BIGINT,
    retention_days  BIGINT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('given', 'withdrawn', 'expired')),
    -- How many events there are: whoever adds one names the number before.
    events          BIGINT NOT NULL,
    -- HMAC over what the row says, so that nobody without the server key makes one say something else.
    bound           BYTEA NOT NULL,
    -- The entry of a standing permission, sealed, while it is in force.
    entry           BYTEA,
    -- What the permission's key signed, as it was sent.
    given           TEXT NOT NULL,
    -- From when on it is deleted; NULL while it is in force.
    keep_until      BIGINT,
    PRIMARY KEY (service_id, id)
);
CREATE INDEX permissions_due ON permissions (until_day) WHERE state = 'given';
CREATE INDEX permissions_over ON permissions (keep_until) WHERE keep_until IS NOT NULL;

-- What happened to each, as its record says it: the exact JWS signing input. Added to and never changed.
CREATE TABLE permission_events (
    service_id     TEXT COLLATE "C" NOT NULL,
    permission_id  TEXT COLLATE "C" NOT NULL,
    number         BIGINT NOT NULL,
    happened_at    BIGINT NOT NULL,
    jti            TEXT COLLATE "C" NOT NULL UNIQUE,
    signing_input  TEXT NOT NULL,
    PRIMARY KEY (service_id, permission_id, number)
);

-- How often a tenant asked whether permissions are in force, on a day: a total, of which permission is not told.
CREATE TABLE permission_checks (
    service_id  TEXT COLLATE "C" NOT NULL,
    env         TEXT NOT NULL CHECK (env IN ('test', 'live')),
    day         BIGINT NOT NULL,
    count       BIGINT NOT NULL,
    PRIMARY KEY (service_id, env, day)
);

-- The permission that an answer gave, or under which a request asks again.
ALTER TABLE requests ADD COLUMN permission_id TEXT COLLATE "C";
CREATE INDEX requests_by_permission ON requests (service_id, permission_id) WHERE permission_id IS NOT NULL;
