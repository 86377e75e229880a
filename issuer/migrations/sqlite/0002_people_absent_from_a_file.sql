-- How many enrolled people a file did not name. Whom it named is kept until the import ends, and no longer.

ALTER TABLE import ADD COLUMN absent INTEGER NOT NULL DEFAULT 0;

CREATE TABLE import_named (
    import_id BLOB NOT NULL REFERENCES import (id),
    person    BLOB NOT NULL CHECK (length(person) = 32),
    PRIMARY KEY (import_id, person)
) STRICT, WITHOUT ROWID;
