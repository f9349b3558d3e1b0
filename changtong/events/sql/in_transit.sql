-- In transit (在途量): items seen and not ended at the end of the day, last scanned within the look-back; where
-- they were scanned last. on_road: last scan says that they left a site; with_courier: out for delivery.
-- in_transit = backlog + on_road + with_courier. Unit: pieces. Source: definition of ours.
WITH counted AS (
  SELECT
    site_numbers.site_id, site_numbers.region, site_numbers.operator,
    day_items.service_class,
    CAST(COUNT(*) AS BIGINT) AS in_transit,
    CAST(SUM(CASE WHEN day_items.last_code_no = 16 THEN 1 ELSE 0 END) AS BIGINT) AS on_road,
    CAST(SUM(CASE WHEN day_items.last_code_no = 17 THEN 1 ELSE 0 END) AS BIGINT) AS with_courier
  FROM day_items
  INNER JOIN site_numbers ON site_numbers.site_no = day_items.last_site_no
  WHERE day_items.ended_ms IS NULL
  GROUP BY site_numbers.site_id, site_numbers.region, site_numbers.operator, day_items.service_class
),
grouped AS (
  SELECT
    CASE
      WHEN GROUPING(site_id) = 0 THEN 'site'
      WHEN GROUPING(region) = 0 THEN 'region'
      WHEN GROUPING(operator) = 0 THEN 'operator'
      WHEN GROUPING(service_class) = 0 THEN 'service_class'
      ELSE 'all'
    END AS dimension,
    COALESCE(site_id, region, operator, service_class, '') AS member,
    CAST(SUM(in_transit) AS BIGINT) AS in_transit,
    CAST(SUM(on_road) AS BIGINT) AS on_road,
    CAST(SUM(with_courier) AS BIGINT) AS with_courier
  FROM counted
  GROUP BY GROUPING SETS (
    (), (site_id), (region), (operator),
    (service_class)
  )
  HAVING COUNT(*) > 0
)
SELECT
  measures.indicator,
  grouped.dimension,
  grouped.member,
  CAST(NULL AS BIGINT) AS hour,
  CAST(
    CASE measures.indicator
      WHEN 'in_transit_pieces' THEN grouped.in_transit
      WHEN 'on_road_pieces' THEN grouped.on_road
      ELSE grouped.with_courier
    END AS DOUBLE
  ) AS value,
  grouped.in_transit AS pieces
FROM grouped
CROSS JOIN (
  VALUES ('in_transit_pieces'), ('on_road_pieces'), ('with_courier_pieces')
) AS measures (indicator)
