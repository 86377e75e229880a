-- Which different questions about one attribute a service has asked, and when last: digests of type and claim, and of the
-- question. No resident is in it, and no request.
CREATE TABLE probes (
    service_id  TEXT NOT NULL,
    env         TEXT NOT NULL,
    attribute   BYTEA NOT NULL,
    question    BYTEA NOT NULL,
    asked_at    BIGINT NOT NULL,
    PRIMARY KEY (service_id, env, attribute, question)
);

-- The row that those who ask for one service take in turn.
CREATE TABLE probing_turns (
    service_id  TEXT NOT NULL,
    env         TEXT NOT NULL,
    turn        BIGINT NOT NULL,
    PRIMARY KEY (service_id, env)
);
