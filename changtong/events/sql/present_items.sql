-- Items at a site or on the road at the end asked for, each with its last stay. Waiting: the stays that backlog.sql
-- counts; on the road: the last scan is a departure (in_transit.sql). What is with a courier is neither.
-- begins_here: the stay begins with acceptance. was_out: it was out for delivery from here already.
-- back_site_no: where it was accepted, of items on their way back to the sender. quarters: of an hour since it left.
SELECT
  stays.item,
  stays.service_class,
  stays.site_no,
  stays.from_ms,
  CASE WHEN stays.gone_ms IS NULL THEN 0 ELSE 1 END AS on_road,
  CASE WHEN stays.first_code_no = 1 THEN 1 ELSE 0 END AS begins_here,
  CASE WHEN day_items.giving_back_ms IS NULL AND day_items.out_ms >= stays.from_ms THEN 1 ELSE 0 END AS was_out,
  CASE WHEN day_items.giving_back_ms IS NOT NULL THEN day_items.accept_site_no END AS back_site_no,
  CASE
    WHEN stays.gone_ms IS NULL THEN 0
    ELSE CAST(FLOOR((asked.end_ms - stays.gone_ms) / 900000) AS BIGINT)
  END AS quarters
FROM stays
CROSS JOIN asked
INNER JOIN day_items ON day_items.item = stays.item
WHERE
  stays.is_last = 1
  AND day_items.ended_ms IS NULL
  AND (stays.gone_ms IS NULL OR day_items.last_code_no = 16)
