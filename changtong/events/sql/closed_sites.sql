-- The closed sites one by one, with their last scan and what they usually scan in a day.
-- Unit: ms, h, scans a day. Source: as closed_share.sql.
SELECT
  site_numbers.site_id,
  site_numbers.name,
  site_numbers.kind,
  site_numbers.region,
  site_numbers.operator,
  site_states.newest_ms AS last_scan_ms,
  CAST(asked.end_ms - site_states.newest_ms AS DOUBLE) / 3600000 AS silent_h,
  CAST(site_states.usual_scans AS DOUBLE) AS usual_scans
FROM site_states
CROSS JOIN asked
INNER JOIN site_numbers ON site_numbers.site_no = site_states.site_no
WHERE site_states.is_usual = 1 AND site_states.is_resting = 0 AND site_states.scans = 0
