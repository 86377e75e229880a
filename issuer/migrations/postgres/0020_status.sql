-- Status lists. A shard is one list of fixed size whose indices are handed out at random, each once and never again: at
-- most half of them, so that what is in use cannot be counted. An entry names its person as every row does, by HMAC.

CREATE TABLE status_shard (
    name       TEXT COLLATE "C" PRIMARY KEY,
    entries    BIGINT NOT NULL CHECK (entries > 0),
    used       BIGINT NOT NULL DEFAULT 0,
    jwt        TEXT NOT NULL,
    cwt        BYTEA NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ttl        BIGINT NOT NULL
);

CREATE TABLE status_entry (
    number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard   TEXT COLLATE "C" NOT NULL REFERENCES status_shard (name),
    idx     BIGINT NOT NULL CHECK (idx >= 0),
    type_id TEXT COLLATE "C" NOT NULL,
    person  BYTEA NOT NULL CHECK (length(person) = 32),
    state   BIGINT NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
    UNIQUE (shard, idx)
);

CREATE INDEX status_entry_person ON status_entry (type_id, person);
CREATE INDEX status_entry_marked ON status_entry (shard, idx, state) WHERE state <> 0;

-- What the next publication changes: for one person, in all entries handed out up to the one numbered so.
CREATE TABLE status_change (
    type_id  TEXT COLLATE "C" NOT NULL,
    person   BYTEA NOT NULL CHECK (length(person) = 32),
    state    BIGINT NOT NULL CHECK (state IN (0, 1, 2)),
    upto     BIGINT NOT NULL,
    PRIMARY KEY (type_id, person)
);

CREATE TABLE status_publication (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    sequence     BIGINT NOT NULL,
    published_at BIGINT NOT NULL
);

INSERT INTO status_publication (one, sequence, published_at) VALUES (1, 0, 0);
