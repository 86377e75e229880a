-- How many decisions of one person in one epoch were met, where a policy counts them. A pseudonym is what its service knows
-- the person by anyway, for this action and epoch alone, and stands here with nothing else: no request, no proof, no instant.
-- The context is SHA-256 of service, action and epoch. Rows go when their epoch is over.
CREATE TABLE pseudonyms (
    service_id  TEXT COLLATE "C" NOT NULL,
    context     BYTEA NOT NULL,
    nym         BYTEA NOT NULL,
    met         BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (service_id, context, nym)
);
CREATE INDEX pseudonyms_over ON pseudonyms (expires_at);
