-- Rows of the days asked for, without those declared wrong and without the declarations.
SELECT
  read_events.at_ms, read_events.code, read_events.site_id, read_events.next_site_id, read_events.item,
  read_events.service_class, read_events.attributes
FROM read_events
WHERE
  read_events.code <> 'void'
  AND NOT EXISTS (SELECT 1 FROM voided WHERE voided.event_id = read_events.event_id)
