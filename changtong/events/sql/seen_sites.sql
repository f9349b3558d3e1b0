-- Every site seen or listed, numbered by its id; '' for scans that name none.
WITH seen AS (
  SELECT DISTINCT COALESCE(site_id, '') AS site_id FROM valid_events
  UNION
  SELECT site_id FROM sites WHERE site_id IS NOT NULL
)
SELECT CAST(ROW_NUMBER() OVER (ORDER BY site_id) AS BIGINT) AS site_no, site_id
FROM seen
