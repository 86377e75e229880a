-- How many enrolled people a file did not name. Whom it named is kept until the import ends, and no longer.

ALTER TABLE import ADD COLUMN absent BIGINT NOT NULL DEFAULT 0;

CREATE TABLE import_named (
    import_id BYTEA NOT NULL REFERENCES import (id),
    person    BYTEA NOT NULL CHECK (length(person) = 32),
    PRIMARY KEY (import_id, person)
);
