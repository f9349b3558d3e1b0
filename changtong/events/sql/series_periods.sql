-- Periods in which anything was scanned, whatever its class: of the others nothing is known.
SELECT DISTINCT slots.period_no
FROM (
  SELECT DISTINCT CAST(FLOOR((events_of_all.at_ms - asked.base_ms) / 900000) AS BIGINT) AS slot_no
  FROM events_of_all
  CROSS JOIN asked
  WHERE
    events_of_all.at_ms >= asked.begin_ms AND events_of_all.code <> 'void'
    AND NOT EXISTS (SELECT 1 FROM voided WHERE voided.event_id = events_of_all.event_id)
) AS seen
INNER JOIN slots ON slots.slot_no = seen.slot_no
WHERE slots.period_no >= 0
