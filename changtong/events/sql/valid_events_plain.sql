-- The same as valid_events.sql for a log in which nothing is declared wrong: saves reading every event's id.
SELECT at_ms, code, site_id, next_site_id, item, service_class, attributes
FROM read_events
