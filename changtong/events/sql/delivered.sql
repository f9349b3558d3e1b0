-- Delivered pieces (投递量): items handed to the addressee in the day; where; by hour.
-- Items given back to the sender are not delivered. Unit: pieces. Source: scan 签收 (UPU EMI).
WITH counted AS (
  SELECT
    site_numbers.site_id, site_numbers.region, site_numbers.operator,
    day_items.service_class,
    CAST(FLOOR((day_items.delivered_ms - asked.begin_ms) / 3600000) AS BIGINT) AS hour_no,
    CAST(COUNT(*) AS BIGINT) AS pieces
  FROM day_items
  CROSS JOIN asked
  INNER JOIN site_numbers ON site_numbers.site_no = day_items.deliver_site_no
  WHERE day_items.delivered_ms >= asked.begin_ms AND day_items.delivered_ms = day_items.ended_ms AND day_items.is_returned = 0
  GROUP BY
    site_numbers.site_id, site_numbers.region, site_numbers.operator, day_items.service_class,
    CAST(FLOOR((day_items.delivered_ms - asked.begin_ms) / 3600000) AS BIGINT)
)
SELECT
  'delivered_pieces' AS indicator,
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
