-- Every site seen or listed, with a number, so that a scan fits into one integer. '' where nothing is known.
WITH listed AS (
  SELECT site_id, MIN(name) AS name, MIN(kind) AS kind, MIN(region) AS region, MIN(operator) AS operator
  FROM sites
  GROUP BY site_id
)
SELECT
  seen_sites.site_no,
  seen_sites.site_id,
  CASE WHEN listed.site_id IS NULL THEN 0 ELSE 1 END AS is_listed,
  COALESCE(listed.name, '') AS name,
  COALESCE(listed.kind, '') AS kind,
  COALESCE(listed.region, '') AS region,
  COALESCE(listed.operator, '') AS operator
FROM seen_sites
LEFT JOIN listed ON listed.site_id = seen_sites.site_id
