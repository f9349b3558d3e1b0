-- Dwell (停留时长): from an item's first scan at a site until it was gone, for stays that ended in the day.
-- Unit: h. Source: definition of ours (docs/indicators.md).
-- Counted by minute; quantiles.sql tells p50, p90, p95.
SELECT
  'dwell' AS measure,
  stays.site_no,
  stays.service_class,
  CAST(FLOOR((stays.gone_ms - stays.from_ms) / 60000) AS BIGINT) AS minutes,
  CAST(COUNT(*) AS BIGINT) AS pieces,
  CAST(NULL AS BIGINT) AS sum_ms
FROM stays
CROSS JOIN asked
WHERE stays.gone_ms >= asked.begin_ms
GROUP BY stays.site_no, stays.service_class, CAST(FLOOR((stays.gone_ms - stays.from_ms) / 60000) AS BIGINT)
