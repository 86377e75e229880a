-- One row: how the data key is wrapped. Nothing in it is secret without the passphrase.
CREATE TABLE header (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    format      INTEGER NOT NULL,
    memory_kib  INTEGER NOT NULL,
    passes      INTEGER NOT NULL,
    lanes       INTEGER NOT NULL,
    salt        BLOB    NOT NULL,
    wrapped_key BLOB    NOT NULL
) STRICT;

-- Every record is sealed; all that can be read is the section and the row's id, which is random
-- (of trust and register_version: the registrar's address, which is public).
CREATE TABLE record (
    section TEXT NOT NULL,
    id      TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    PRIMARY KEY (section, id)
) STRICT, WITHOUT ROWID;
