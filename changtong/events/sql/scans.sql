-- Scans of items. place_time is when, what and where in one integer that sorts by time, then by code, then
-- by site: ((ms since base_ms) * 32 + code_no) * 8388608 + site_no. One column to sort, compare and keep.
SELECT
  valid_events.item,
  valid_events.service_class,
  codes.code_no,
  ((valid_events.at_ms - asked.base_ms) * 32 + codes.code_no) * 8388608 + site_numbers.site_no AS place_time
FROM valid_events
CROSS JOIN asked
INNER JOIN codes ON codes.code = valid_events.code
INNER JOIN site_numbers ON site_numbers.site_id = COALESCE(valid_events.site_id, '')
WHERE valid_events.item <> 0  -- nor null
