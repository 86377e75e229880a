-- What a witness signed last of each log: written before it signs, and only where it is still what was decided by.
CREATE TABLE heads (
    origin  TEXT PRIMARY KEY,
    size    INTEGER NOT NULL,
    root    BLOB NOT NULL
) STRICT;
