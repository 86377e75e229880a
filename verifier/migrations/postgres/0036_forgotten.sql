-- Entries whose documents were deleted when their retention was over, written with the deletion: the log keeps its hashes, and an
-- auditor is told how many of them are of nothing that is still here.
CREATE TABLE log_forgotten (
    leaf  BYTEA NOT NULL PRIMARY KEY
);
