-- Accepted pieces (揽收量): items whose first accept scan lies in the day; where they were accepted; by hour.
-- Unit: pieces. Source: scan 揽收 (UPU EMA, CBV accepting).
WITH counted AS (
  SELECT
    site_numbers.site_id, site_numbers.region, site_numbers.operator,
    day_items.service_class,
    CAST(FLOOR((day_items.accepted_ms - asked.begin_ms) / 3600000) AS BIGINT) AS hour_no,
    CAST(COUNT(*) AS BIGINT) AS pieces
  FROM day_items
  CROSS JOIN asked
  INNER JOIN site_numbers ON site_numbers.site_no = day_items.accept_site_no
  WHERE day_items.accepted_ms >= asked.begin_ms
  GROUP BY
    site_numbers.site_id, site_numbers.region, site_numbers.operator, day_items.service_class,
    CAST(FLOOR((day_items.accepted_ms - asked.begin_ms) / 3600000) AS BIGINT)
)
SELECT
  'accepted_pieces' AS indicator,
  CASE
    WHEN GROUPING(site_id) = 0 THEN 'site'
    WHEN GROUPING(region) = 0 THEN 'region'
    WHEN GROUPING(operator) = 0 THEN 'operator'
    WHEN GROUPING(service_class) = 0 THEN 'service_class'
    ELSE 'all'
  END AS dimension,
  COALESCE(site_id, region, operator, service_class, '') AS member,
  hour_no AS hour,
  CAST(SUM(pieces) AS DOUBLE) AS value,
  CAST(SUM(pieces) AS BIGINT) AS pieces
FROM counted
GROUP BY GROUPING SETS (
  (), (hour_no), (site_id), (site_id, hour_no),
  (region), (region, hour_no), (operator), (operator, hour_no),
  (service_class), (service_class, hour_no)
)
HAVING COUNT(*) > 0
