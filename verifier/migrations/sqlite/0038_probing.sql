-- Which different questions about one attribute a service has asked, and when last: digests of type and claim, and of the
-- question. No resident is in it, and no request.
CREATE TABLE probes (
    service_id  TEXT NOT NULL,
    env         TEXT NOT NULL,
    attribute   BLOB NOT NULL,
    question    BLOB NOT NULL,
    asked_at    INTEGER NOT NULL,
    PRIMARY KEY (service_id, env, attribute, question)
) STRICT, WITHOUT ROWID;

-- The row that those who ask for one service take in turn.
CREATE TABLE probing_turns (
    service_id  TEXT NOT NULL,
    env         TEXT NOT NULL,
    turn        INTEGER NOT NULL,
    PRIMARY KEY (service_id, env)
) STRICT, WITHOUT ROWID;
