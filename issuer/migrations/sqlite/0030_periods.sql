-- Types with periods: a row is a person in one period. The same person over all periods is named by an HMAC of its own, so
-- that an officer's change reaches every period; the period itself is shown to everybody by every copy.

ALTER TABLE person ADD COLUMN whole BLOB CHECK (whole IS NULL OR length(whole) = 32);
ALTER TABLE person ADD COLUMN period TEXT;

CREATE INDEX person_whole ON person (type_id, whole) WHERE whole IS NOT NULL;
