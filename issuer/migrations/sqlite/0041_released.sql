-- The pseudonym of a registration that was given up, as an HMAC: it is registered for nobody again. Unknown for those that
-- were given up before this was kept.

ALTER TABLE link_release ADD COLUMN nym BLOB CHECK (nym IS NULL OR length(nym) = 32);

CREATE INDEX link_release_nym ON link_release (nym) WHERE nym IS NOT NULL;

-- What is open for a person is ended with the registration: it is found by the person.
CREATE INDEX offer_person ON offer (person);
CREATE INDEX access_token_offer ON access_token (offer);
