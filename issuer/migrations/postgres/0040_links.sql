-- Types whose copies are linked: which link secret each person is held to, over all types. The person and the pseudonym that
-- the secret has at this issuer appear as HMACs under the server's key. The proof that came with it is not kept.

CREATE TABLE link (
    person BYTEA PRIMARY KEY CHECK (length(person) = 32),
    nym    BYTEA NOT NULL UNIQUE CHECK (length(nym) = 32),
    since  TEXT NOT NULL
);

-- Registrations that were given up at the counter: whose, and when.
CREATE TABLE link_release (
    person      BYTEA NOT NULL CHECK (length(person) = 32),
    released_at BIGINT NOT NULL
);

CREATE INDEX link_release_person ON link_release (person);
