-- Every site seen or listed, with a number, so that a scan fits into one integer. '' where nothing is known.
WITH seen AS (
  SELECT DISTINCT COALESCE(site_id, '') AS site_id FROM valid_events
  UNION
  SELECT site_id FROM sites WHERE site_id IS NOT NULL
),
listed AS (
  SELECT site_id, MIN(name) AS name, MIN(kind) AS kind, MIN(region) AS region, MIN(operator) AS operator
  FROM sites
  GROUP BY site_id
)
SELECT
  CAST(ROW_NUMBER() OVER (ORDER BY seen.site_id) AS BIGINT) AS site_no,
  seen.site_id,
  CASE WHEN listed.site_id IS NULL THEN 0 ELSE 1 END AS is_listed,
  COALESCE(listed.name, '') AS name,
  COALESCE(listed.kind, '') AS kind,
  COALESCE(listed.region, '') AS region,
  COALESCE(listed.operator, '') AS operator
FROM seen
LEFT JOIN listed ON listed.site_id = seen.site_id
