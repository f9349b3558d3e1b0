-- Flow matrix between regions (流向流量). delivered_pieces: items delivered in the day, from the region of acceptance
-- to that of delivery. moved_pieces: stays that began in the day, from the region of the stay before, so that
-- what passes through a third region is seen there too. '' is a region that is not known.
-- Unit: pieces. Source: definition of ours (docs/indicators.md).
SELECT
  'delivered_pieces' AS indicator,
  origin.region AS from_region,
  destination.region AS to_region,
  CAST(COUNT(*) AS DOUBLE) AS value
FROM day_items
CROSS JOIN asked
INNER JOIN site_numbers AS origin ON origin.site_no = day_items.accept_site_no
INNER JOIN site_numbers AS destination ON destination.site_no = day_items.deliver_site_no
WHERE
  day_items.delivered_ms >= asked.begin_ms
  AND day_items.delivered_ms = day_items.ended_ms
  AND day_items.is_returned = 0
GROUP BY origin.region, destination.region
UNION ALL
SELECT
  'moved_pieces' AS indicator,
  origin.region AS from_region,
  destination.region AS to_region,
  CAST(COUNT(*) AS DOUBLE) AS value
FROM stays
CROSS JOIN asked
INNER JOIN site_numbers AS origin ON origin.site_no = stays.site_before_no
INNER JOIN site_numbers AS destination ON destination.site_no = stays.site_no
WHERE stays.from_ms >= asked.begin_ms
GROUP BY origin.region, destination.region
