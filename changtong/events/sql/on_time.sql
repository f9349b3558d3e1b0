-- On-time share (72小时准时率, 时限达成率): of the items that fell due in the day, those delivered by then. Due: 72 h
-- after acceptance, or after the hours that the class promises. An item that is stuck counts as late, which a
-- share of the delivered would hide. Cancelled items and those given back before they were due are left out.
-- delivered_within_72h_share: of the items delivered in the day, the other usual reading.
-- By the site of acceptance. Unit: share. Source: 72-hour rate of the post regulator (S68, S69).
WITH cases AS (
  SELECT
    measures.measure,
    items.accept_site_no AS site_no,
    items.service_class,
    CASE
      WHEN items.delivered_ms - items.accepted_ms
        <= CASE WHEN measures.measure = 'on_time_promise_share' THEN promises.promise_ms ELSE 259200000 END
        THEN 1
      ELSE 0
    END AS in_time
  FROM due_items AS items
  CROSS JOIN asked
  CROSS JOIN (
    VALUES ('on_time_72h_share'), ('on_time_promise_share'), ('delivered_within_72h_share')
  ) AS measures (measure)
  LEFT JOIN promises ON promises.service_class = items.service_class
  WHERE
    items.accepted_ms IS NOT NULL
    AND items.is_cancelled = 0
    AND (
      (
        measures.measure = 'on_time_72h_share'
        AND items.accepted_ms + 259200000 >= asked.begin_ms
        AND items.accepted_ms + 259200000 < asked.end_ms
        AND (items.giving_back_ms IS NULL OR items.giving_back_ms > items.accepted_ms + 259200000
          OR items.delivered_ms < items.giving_back_ms)
      )
      OR (
        measures.measure = 'on_time_promise_share'
        AND items.accepted_ms + promises.promise_ms >= asked.begin_ms
        AND items.accepted_ms + promises.promise_ms < asked.end_ms
        AND (items.giving_back_ms IS NULL OR items.giving_back_ms > items.accepted_ms + promises.promise_ms
          OR items.delivered_ms < items.giving_back_ms)
      )
      OR (
        measures.measure = 'delivered_within_72h_share'
        AND items.delivered_ms >= asked.begin_ms
        AND items.is_returned = 0
      )
    )
),
counted AS (
  SELECT
    cases.measure,
    site_numbers.site_id, site_numbers.region, site_numbers.operator,
    cases.service_class,
    CAST(COUNT(*) AS BIGINT) AS pieces,
    CAST(SUM(cases.in_time) AS BIGINT) AS in_time
  FROM cases
  INNER JOIN site_numbers ON site_numbers.site_no = cases.site_no
  GROUP BY cases.measure, site_numbers.site_id, site_numbers.region, site_numbers.operator, cases.service_class
)
SELECT
  measure AS indicator,
  CASE
    WHEN GROUPING(site_id) = 0 THEN 'site'
    WHEN GROUPING(region) = 0 THEN 'region'
    WHEN GROUPING(operator) = 0 THEN 'operator'
    WHEN GROUPING(service_class) = 0 THEN 'service_class'
    ELSE 'all'
  END AS dimension,
  COALESCE(site_id, region, operator, service_class, '') AS member,
  CAST(NULL AS BIGINT) AS hour,
  CAST(SUM(in_time) AS DOUBLE) / SUM(pieces) AS value,
  CAST(SUM(pieces) AS BIGINT) AS pieces
FROM counted
GROUP BY GROUPING SETS (
  (measure), (measure, site_id), (measure, region), (measure, operator),
  (measure, service_class)
)
HAVING COUNT(*) > 0
