-- The four stage times (寄出地处理、运输、寄达地处理、投递) and their sum, of items delivered in the day that were
-- accepted in one region and delivered in another. Origin handling: acceptance to the last scan in the region
-- of acceptance; transport: to the first scan in the region of delivery; destination handling: to the first
-- out_for_delivery; delivery: to the delivery. The first two count at the accepting site, the others at the
-- delivering one. Items without one of these scans, or with them out of order, are left out of all five.
-- Unit: h. Source: the parts that the post regulator's test of express times publishes (S68).
-- Counted by minute; quantiles.sql tells p50, p90, p95 and the mean.
SELECT
  stages.measure,
  stages.site_no,
  stages.service_class,
  CAST(FLOOR(stages.stage_ms / 60000) AS BIGINT) AS minutes,
  CAST(COUNT(*) AS BIGINT) AS pieces,
  CAST(SUM(stages.stage_ms) AS BIGINT) AS sum_ms
FROM (
  SELECT
    measures.measure,
    CASE
      WHEN measures.measure IN ('origin_handling', 'transport') THEN way.accept_site_no
      ELSE way.deliver_site_no
    END AS site_no,
    way.service_class,
    CASE measures.measure
      WHEN 'origin_handling' THEN way.left_ms - way.accepted_ms
      WHEN 'transport' THEN way.reached_ms - way.left_ms
      WHEN 'destination_handling' THEN way.out_ms - way.reached_ms
      WHEN 'delivery' THEN way.delivered_ms - way.out_ms
      ELSE way.delivered_ms - way.accepted_ms
    END AS stage_ms
  FROM (
    SELECT
      day_items.item,
      day_items.service_class,
      day_items.accept_site_no,
      day_items.deliver_site_no,
      day_items.accepted_ms,
      day_items.out_ms,
      day_items.delivered_ms,
      MAX(CASE WHEN place.region = origin.region THEN stays.last_ms END) AS left_ms,
      MIN(CASE WHEN place.region = destination.region THEN stays.from_ms END) AS reached_ms
    FROM day_items
    CROSS JOIN asked
    INNER JOIN site_numbers AS origin ON origin.site_no = day_items.accept_site_no
    INNER JOIN site_numbers AS destination ON destination.site_no = day_items.deliver_site_no
    INNER JOIN stays ON stays.item = day_items.item
    INNER JOIN site_numbers AS place ON place.site_no = stays.site_no
    WHERE
      day_items.delivered_ms >= asked.begin_ms
      AND day_items.delivered_ms = day_items.ended_ms
      AND day_items.is_returned = 0
      AND origin.region <> ''
      AND destination.region <> ''
      AND origin.region <> destination.region
    GROUP BY
      day_items.item, day_items.service_class, day_items.accept_site_no, day_items.deliver_site_no,
      day_items.accepted_ms, day_items.out_ms, day_items.delivered_ms
  ) AS way
  CROSS JOIN (
    VALUES ('origin_handling'), ('transport'), ('destination_handling'), ('delivery'), ('acceptance_to_delivery')
  ) AS measures (measure)
  WHERE
    way.accepted_ms <= way.left_ms
    AND way.left_ms <= way.reached_ms
    AND way.reached_ms <= way.out_ms
    AND way.out_ms <= way.delivered_ms
) AS stages
GROUP BY
  stages.measure, stages.site_no, stages.service_class, CAST(FLOOR(stages.stage_ms / 60000) AS BIGINT)
