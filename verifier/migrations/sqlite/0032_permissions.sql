-- What residents permitted beside an answer, until its retention is over (specs/profiles/permission.md). The permission's key and
-- the code of its letter stand here as HMACs. Of a payment there is neither amount nor payee: its record has the salted digest.
CREATE TABLE permissions (
    service_id      TEXT NOT NULL,
    id              TEXT NOT NULL,
    env             TEXT NOT NULL CHECK (env IN ('test', 'live')),
    key_tag         BLOB NOT NULL UNIQUE,
    code_tag        BLOB NOT NULL UNIQUE,
    policy_id       TEXT NOT NULL,
    policy_digest   TEXT NOT NULL,
    -- The question under which it was given: policy, purpose and service as they were then.
    asked_digest    BLOB NOT NULL,
    given_at        INTEGER NOT NULL,
    -- Days are numbered from 1970-01-01. The day of asking, the last day, and the day of the last asking under it.
    given_day       INTEGER NOT NULL,
    until_day       INTEGER NOT NULL,
    asked_day       INTEGER NOT NULL,
    every_days      INTEGER NOT NULL,
    uses_left       INTEGER,
    retention_days  INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('given', 'withdrawn', 'expired')),
    -- How many events there are: whoever adds one names the number before.
    events          INTEGER NOT NULL,
    -- HMAC over what the row says, so that nobody without the server key makes one say something else.
    bound           BLOB NOT NULL,
    -- The entry of a standing permission, sealed, while it is in force.
    entry           BLOB,
    -- What the permission's key signed, as it was sent.
    given           TEXT NOT NULL,
    -- From when on it is deleted; NULL while it is in force.
    keep_until      INTEGER,
    PRIMARY KEY (service_id, id)
) STRICT;
CREATE INDEX permissions_due ON permissions (until_day) WHERE state = 'given';
CREATE INDEX permissions_over ON permissions (keep_until) WHERE keep_until IS NOT NULL;

-- What happened to each, as its record says it: the exact JWS signing input. Added to and never changed.
CREATE TABLE permission_events (
    service_id     TEXT NOT NULL,
    permission_id  TEXT NOT NULL,
    number         INTEGER NOT NULL,
    happened_at    INTEGER NOT NULL,
    jti            TEXT NOT NULL UNIQUE,
    signing_input  TEXT NOT NULL,
    PRIMARY KEY (service_id, permission_id, number)
) STRICT;

-- How often a tenant asked whether permissions are in force, on a day: a total, of which permission is not told.
CREATE TABLE permission_checks (
    service_id  TEXT NOT NULL,
    env         TEXT NOT NULL CHECK (env IN ('test', 'live')),
    day         INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (service_id, env, day)
) STRICT, WITHOUT ROWID;

-- The permission that an answer gave, or under which a request asks again.
ALTER TABLE requests ADD COLUMN permission_id TEXT;
CREATE INDEX requests_by_permission ON requests (service_id, permission_id) WHERE permission_id IS NOT NULL;
