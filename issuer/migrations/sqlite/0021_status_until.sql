-- When the copy of an entry runs out: a list all of whose copies have is removed. Unknown for entries from before this was
-- kept: their lists stay.

ALTER TABLE status_entry ADD COLUMN expires_at INTEGER;
