-- Age of the data (数据时效): from the newest scan until the end asked for. Unit: h. Source: definition of ours.
-- A class has the age of its newest item scan.
WITH grouped AS (
  SELECT
    CASE
      WHEN GROUPING(site_id) = 0 THEN 'site'
      WHEN GROUPING(region) = 0 THEN 'region'
      WHEN GROUPING(operator) = 0 THEN 'operator'
      WHEN GROUPING(kind) = 0 THEN 'kind'
      ELSE 'all'
    END AS dimension,
    COALESCE(site_id, region, operator, kind, '') AS member,
    MAX(newest_ms) AS newest_ms
  FROM site_states
  INNER JOIN site_numbers ON site_numbers.site_no = site_states.site_no
  GROUP BY GROUPING SETS ((), (site_id), (region), (operator), (kind))
  HAVING COUNT(*) > 0
  UNION ALL
  SELECT 'service_class' AS dimension, service_class AS member, MAX(last_ms) AS newest_ms
  FROM day_items
  GROUP BY service_class
)
SELECT
  'data_age_h' AS indicator,
  grouped.dimension,
  grouped.member,
  CAST(NULL AS BIGINT) AS hour,
  CAST(asked.end_ms - grouped.newest_ms AS DOUBLE) / 3600000 AS value,
  CAST(NULL AS BIGINT) AS pieces
FROM grouped
CROSS JOIN asked
WHERE grouped.newest_ms IS NOT NULL
