-- Tokens that are bound to a wallet's key, the proofs they were used with, batches that are put off, and what became of
-- batches. Keys, proofs, transactions and notification ids appear as HMACs under the server's key; the keys that a
-- batch will be bound to are sealed, and gone once it is collected or refused.

-- The thumbprint of the key that the token is bound to; none for a bearer token.
ALTER TABLE access_token ADD COLUMN jkt BYTEA CHECK (jkt IS NULL OR length(jkt) = 32);

-- Whether the token response gave an identifier, by which requests must then name what they ask for.
ALTER TABLE access_token ADD COLUMN identified BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE seen_proof (
    proof      BYTEA PRIMARY KEY CHECK (length(proof) = 32),
    expires_at BIGINT NOT NULL
);

CREATE INDEX seen_proof_expiry ON seen_proof (expires_at);

CREATE TABLE deferred (
    transaction_id BYTEA PRIMARY KEY CHECK (length(transaction_id) = 32),
    token          BYTEA NOT NULL UNIQUE REFERENCES access_token (token),
    reference      TEXT COLLATE "C" NOT NULL UNIQUE,
    holders        BYTEA,
    stage          TEXT NOT NULL CHECK (stage IN ('waiting', 'approved', 'refused', 'collected')),
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL
);

CREATE INDEX deferred_stage ON deferred (stage, created_at);

-- What the wallet said became of the batch: each event once, and nothing of its description.
ALTER TABLE issuance ADD COLUMN notification BYTEA CHECK (notification IS NULL OR length(notification) = 32);
ALTER TABLE issuance ADD COLUMN accepted BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE issuance ADD COLUMN failed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE issuance ADD COLUMN deleted BOOLEAN NOT NULL DEFAULT FALSE;

CREATE UNIQUE INDEX issuance_notification ON issuance (notification);
