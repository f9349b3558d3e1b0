-- Age of what is in transit (在途时长): since acceptance, or since the first scan where none tells of acceptance.
-- Unit: h. Source: definition of ours (docs/indicators.md).
-- Quantile q: the smallest whole minute at or below which q of the pieces lie (times are cut to whole minutes).
WITH counted AS (
  SELECT
    'in_transit_age' AS measure,
    day_items.last_site_no AS site_no,
    day_items.service_class,
    CAST(FLOOR((asked.end_ms - COALESCE(day_items.accepted_ms, day_items.first_ms)) / 60000) AS BIGINT)
      AS minutes,
    CAST(COUNT(*) AS BIGINT) AS pieces
  FROM day_items
  CROSS JOIN asked
  WHERE day_items.ended_ms IS NULL
  GROUP BY
    day_items.last_site_no,
    day_items.service_class,
    CAST(FLOOR((asked.end_ms - COALESCE(day_items.accepted_ms, day_items.first_ms)) / 60000) AS BIGINT)
),
grouped AS (
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
    SUM(counted.pieces) AS pieces
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
    SUM(pieces) OVER (PARTITION BY measure, dimension, member) AS total
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
    ELSE CAST(quantiles.p95_minutes AS DOUBLE) / 60
  END AS value,
  quantiles.pieces
FROM quantiles
CROSS JOIN (VALUES ('_p50_h'), ('_p90_h'), ('_p95_h')) AS parts (part)
