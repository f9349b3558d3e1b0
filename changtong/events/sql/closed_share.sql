-- Closed sites and their share (分拨中心/网点关停数、关停率): usual sites without any scan in the last 24 h of the day,
-- less those with a weekday off; by kind of site, region and operator. usual_sites: what the share is of.
-- never_seen_sites: listed, but without a scan in the whole look-back: not part of the share.
-- Unit: sites, share. Source: 关停数, 关停率 as published in April 2022 (S32-S35); how silence is judged: site_states.sql.
WITH judged AS (
  SELECT
    site_numbers.kind,
    site_numbers.region,
    site_numbers.operator,
    CASE WHEN site_states.is_usual = 1 AND site_states.is_resting = 0 THEN 1 ELSE 0 END AS usual,
    CASE
      WHEN site_states.is_usual = 1 AND site_states.is_resting = 0 AND site_states.scans = 0 THEN 1
      ELSE 0
    END AS closed,
    CASE WHEN site_states.is_listed = 1 AND site_states.newest_ms IS NULL THEN 1 ELSE 0 END AS never_seen
  FROM site_states
  INNER JOIN site_numbers ON site_numbers.site_no = site_states.site_no
),
grouped AS (
  SELECT
    CASE
      WHEN GROUPING(kind) = 0 THEN 'kind'
      WHEN GROUPING(region) = 0 THEN 'region'
      WHEN GROUPING(operator) = 0 THEN 'operator'
      ELSE 'all'
    END AS dimension,
    COALESCE(kind, region, operator, '') AS member,
    CAST(SUM(usual) AS BIGINT) AS usual,
    CAST(SUM(closed) AS BIGINT) AS closed,
    CAST(SUM(never_seen) AS BIGINT) AS never_seen
  FROM judged
  GROUP BY GROUPING SETS ((), (kind), (region), (operator))
  HAVING COUNT(*) > 0
)
SELECT
  measures.indicator,
  grouped.dimension,
  grouped.member,
  CAST(NULL AS BIGINT) AS hour,
  CASE measures.indicator
    WHEN 'closed_sites' THEN CAST(grouped.closed AS DOUBLE)
    WHEN 'usual_sites' THEN CAST(grouped.usual AS DOUBLE)
    WHEN 'never_seen_sites' THEN CAST(grouped.never_seen AS DOUBLE)
    ELSE CAST(grouped.closed AS DOUBLE) / NULLIF(grouped.usual, 0)
  END AS value,
  grouped.usual AS pieces
FROM grouped
CROSS JOIN (
  VALUES ('closed_sites'), ('usual_sites'), ('never_seen_sites'), ('closed_share')
) AS measures (indicator)
