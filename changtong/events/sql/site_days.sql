-- Scans of each site in each span of 24 h, counted back from the latest end asked for; days_back 0 is the last.
-- Rows of bags and vehicles count as well: they too show that somebody works there.
SELECT
  site_numbers.site_no,
  CAST(FLOOR((asked.latest_end_ms - 1 - valid_events.at_ms) / 86400000) AS BIGINT) AS days_back,
  CAST(COUNT(*) AS BIGINT) AS scans,
  MAX(valid_events.at_ms) AS newest_ms
FROM valid_events
CROSS JOIN asked
INNER JOIN site_numbers ON site_numbers.site_id = COALESCE(valid_events.site_id, '')
GROUP BY
  site_numbers.site_no,
  CAST(FLOOR((asked.latest_end_ms - 1 - valid_events.at_ms) / 86400000) AS BIGINT)
