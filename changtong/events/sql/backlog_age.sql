-- Age of the backlog (积压时长): how long the pieces that wait at the end of the day have been at their site.
-- Unit: h. Source: definition of ours (docs/indicators.md).
-- Counted by minute; quantiles.sql tells p50, p90, p95.
SELECT
  'backlog_age' AS measure,
  stays.site_no,
  stays.service_class,
  CAST(FLOOR((asked.end_ms - stays.from_ms) / 60000) AS BIGINT) AS minutes,
  CAST(COUNT(*) AS BIGINT) AS pieces,
  CAST(NULL AS BIGINT) AS sum_ms
FROM stays
CROSS JOIN asked
WHERE stays.gone_ms IS NULL
GROUP BY stays.site_no, stays.service_class, CAST(FLOOR((asked.end_ms - stays.from_ms) / 60000) AS BIGINT)
