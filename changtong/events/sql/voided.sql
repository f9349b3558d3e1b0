-- Events that a later row declares wrong, by their id. A void row may lie on any day of the log.
-- Source: error declarations of EPCIS 2.0, section 7.4.1.4.
SELECT DISTINCT event_id
FROM events
WHERE code = 'void' AND event_id IS NOT NULL
