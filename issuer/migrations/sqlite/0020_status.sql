-- Status lists. A shard is one list of fixed size whose indices are handed out at random, each once and never again: at
-- most half of them, so that what is in use cannot be counted. An entry names its person as every row does, by HMAC.

CREATE TABLE status_shard (
    name       TEXT PRIMARY KEY NOT NULL,
    entries    INTEGER NOT NULL CHECK (entries > 0),
    used       INTEGER NOT NULL DEFAULT 0,
    jwt        TEXT NOT NULL,
    cwt        BLOB NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ttl        INTEGER NOT NULL
) STRICT;

CREATE TABLE status_entry (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    shard   TEXT NOT NULL REFERENCES status_shard (name),
    idx     INTEGER NOT NULL CHECK (idx >= 0),
    type_id TEXT NOT NULL,
    person  BLOB NOT NULL CHECK (length(person) = 32),
    state   INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
    UNIQUE (shard, idx)
) STRICT;

CREATE INDEX status_entry_person ON status_entry (type_id, person);
CREATE INDEX status_entry_marked ON status_entry (shard, idx, state) WHERE state <> 0;

-- What the next publication changes: for one person, in all entries handed out up to the one numbered so.
CREATE TABLE status_change (
    type_id  TEXT NOT NULL,
    person   BLOB NOT NULL CHECK (length(person) = 32),
    state    INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    upto     INTEGER NOT NULL,
    PRIMARY KEY (type_id, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE status_publication (
    one          INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    sequence     INTEGER NOT NULL,
    published_at INTEGER NOT NULL
) STRICT;

INSERT INTO status_publication (one, sequence, published_at) VALUES (1, 0, 0);
