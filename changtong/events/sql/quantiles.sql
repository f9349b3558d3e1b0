-- Quantiles, and the mean where its sum is told, of what was counted by whole minutes in the view counted.
-- Quantile q: the smallest whole minute at or below which q of the pieces lie (times are cut to whole minutes).
-- Unit: h.
WITH grouped AS (
  SELECT
    counted.measure,
    CASE
      WHEN GROUPING(site_id) = 0 THEN 'site'
      WHEN GROUPING(region) = 0 THEN 'region'
      WHEN GROUPING(operator) = 0 THEN 'operator'
      WHEN GROUPING(service_class) = 0 THEN 'service_class'
      ELSE 'all'
    END AS dimension,
    COALESCE(site_id, region, operator, service_class, '') AS member,
    counted.minutes,
    SUM(counted.pieces) AS pieces,
    SUM(counted.sum_ms) AS sum_ms
  FROM counted
  INNER JOIN site_numbers ON site_numbers.site_no = counted.site_no
  GROUP BY GROUPING SETS (
    (measure, minutes), (measure, minutes, site_id), (measure, minutes, region), (measure, minutes, operator),
    (measure, minutes, service_class)
  )
  HAVING COUNT(*) > 0
),
running AS (
  SELECT
    measure,
    dimension,
    member,
    minutes,
    SUM(pieces) OVER (PARTITION BY measure, dimension, member ORDER BY minutes) AS reached,
    SUM(pieces) OVER (PARTITION BY measure, dimension, member) AS total,
    SUM(sum_ms) OVER (PARTITION BY measure, dimension, member) AS total_ms
  FROM grouped
),
quantiles AS (
  SELECT
    measure,
    dimension,
    member,
    MIN(CASE WHEN reached * 100 >= total * 50 THEN minutes END) AS p50_minutes,
    MIN(CASE WHEN reached * 100 >= total * 90 THEN minutes END) AS p90_minutes,
    MIN(CASE WHEN reached * 100 >= total * 95 THEN minutes END) AS p95_minutes,
    CAST(MAX(total_ms) AS BIGINT) AS total_ms,
    CAST(MAX(total) AS BIGINT) AS pieces
  FROM running
  GROUP BY measure, dimension, member
)
SELECT
  CONCAT(quantiles.measure, parts.part) AS indicator,
  quantiles.dimension,
  quantiles.member,
  CAST(NULL AS BIGINT) AS hour,
  CASE parts.part
    WHEN '_p50_h' THEN CAST(quantiles.p50_minutes AS DOUBLE) / 60
    WHEN '_p90_h' THEN CAST(quantiles.p90_minutes AS DOUBLE) / 60
    WHEN '_mean_h' THEN CAST(quantiles.total_ms AS DOUBLE) / quantiles.pieces / 3600000
    ELSE CAST(quantiles.p95_minutes AS DOUBLE) / 60
  END AS value,
  quantiles.pieces
FROM quantiles
CROSS JOIN (VALUES ('_mean_h'), ('_p50_h'), ('_p90_h'), ('_p95_h')) AS parts (part)
WHERE parts.part <> '_mean_h' OR quantiles.total_ms IS NOT NULL
