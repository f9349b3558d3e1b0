-- Age of what is in transit (在途时长): since acceptance, or since the first scan where none tells of acceptance.
-- Unit: h. Source: definition of ours (docs/indicators.md).
-- Counted by minute; quantiles.sql tells p50, p90, p95.
SELECT
  'in_transit_age' AS measure,
  day_items.last_site_no AS site_no,
  day_items.service_class,
  CAST(FLOOR((asked.end_ms - COALESCE(day_items.accepted_ms, day_items.first_ms)) / 60000) AS BIGINT)
    AS minutes,
  CAST(COUNT(*) AS BIGINT) AS pieces,
  CAST(NULL AS BIGINT) AS sum_ms
FROM day_items
CROSS JOIN asked
WHERE day_items.ended_ms IS NULL
GROUP BY
  day_items.last_site_no,
  day_items.service_class,
  CAST(FLOOR((asked.end_ms - COALESCE(day_items.accepted_ms, day_items.first_ms)) / 60000) AS BIGINT)
