-- How many decisions of one person in one epoch were met, where a policy counts them. A pseudonym is what its service knows
-- the person by anyway, for this action and epoch alone, and stands here with nothing else: no request, no proof, no instant.
-- The context is SHA-256 of service, action and epoch. Rows go when their epoch is over.
CREATE TABLE pseudonyms (
    service_id  TEXT NOT NULL,
    context     BLOB NOT NULL,
    nym         BLOB NOT NULL,
    met         INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (service_id, context, nym)
) STRICT, WITHOUT ROWID;
CREATE INDEX pseudonyms_over ON pseudonyms (expires_at);
