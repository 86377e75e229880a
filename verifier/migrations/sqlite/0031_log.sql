-- The log's tree. An entry gets its place, from 0 and without gaps, in the transaction that writes it, or in the next one
-- where a version before this wrote it. `log_edge` is the one row that writers of the log take in turn, last of all.
ALTER TABLE log_leaves ADD COLUMN place INTEGER;
CREATE UNIQUE INDEX log_leaves_by_place ON log_leaves (place) WHERE place IS NOT NULL;
CREATE INDEX log_leaves_without_place ON log_leaves (position) WHERE place IS NULL;

-- Hashes of perfect subtrees of height 8, 16 and so on: the tiles above the lowest. Those of entries are computed.
CREATE TABLE log_hashes (
    level  INTEGER NOT NULL,
    place  INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;

-- Size and right edge of the tree: eight bytes big-endian, then a hash for each bit of the size.
CREATE TABLE log_edge (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    edge  BLOB NOT NULL
) STRICT;
INSERT INTO log_edge (id, edge) VALUES (1, x'0000000000000000');

-- Checkpoints that the log has signed, as notes. None is ever changed but by signatures of witnesses.
CREATE TABLE log_checkpoints (
    size  INTEGER PRIMARY KEY,
    note  TEXT NOT NULL
) STRICT;
