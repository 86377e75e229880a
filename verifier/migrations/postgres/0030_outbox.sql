-- Messages are delivered: to the one endpoint of their tenant, again and again for three days, or read from the API.
-- A version without these columns still writes rows while this one comes; they are due at once, and of the environment of
-- their request. What is behind a colon in `request_id` tells messages about one thing apart, and is not sent.
ALTER TABLE outbox ADD COLUMN env TEXT CHECK (env IN ('test', 'live'));
ALTER TABLE outbox ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead'));
ALTER TABLE outbox ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
-- When it may be tried next. Whoever tries it puts this ahead first, and settles it by what was put.
ALTER TABLE outbox ADD COLUMN next_at BIGINT NOT NULL DEFAULT 0;
-- When it was sent again by its service, from which three days count; NULL for most.
ALTER TABLE outbox ADD COLUMN again_at BIGINT;
-- The id by which it was sent: a keyed name, from which nothing can be learnt. NULL before the first attempt.
ALTER TABLE outbox ADD COLUMN event_id TEXT COLLATE "C";
CREATE INDEX outbox_waiting ON outbox (service_id, next_at, position) WHERE state = 'waiting';
CREATE INDEX outbox_listed ON outbox (service_id, position);
CREATE INDEX outbox_by_event ON outbox (service_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX outbox_over ON outbox (created_at);
