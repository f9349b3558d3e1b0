-- One row for each item as it was known at the end of the day asked for: what came later is not there.
-- Unit: ms. ended: the first delivery or cancellation; what is scanned after it counts no more.
-- is_returned: it was on its way back to the sender before it was handed over.
WITH known AS (
  SELECT
    item_times.item,
    item_times.service_class,
    asked.base_ms,
    item_times.first_scan,
    CASE WHEN asked.day_no = 0 THEN item_times.last_scan ELSE item_times.last_scan_before_cut END AS last_scan,
    CASE WHEN item_times.accept < asked.end_at THEN item_times.accept END AS accept,
    CASE WHEN item_times.register < asked.end_at THEN 1 ELSE 0 END AS is_registered,
    CASE WHEN item_times.inspect < asked.end_at THEN 1 ELSE 0 END AS is_inspected,
    CASE WHEN item_times.screen < asked.end_at THEN 1 ELSE 0 END AS is_screened,
    CASE WHEN item_times.out_for_delivery < asked.end_at THEN item_times.out_for_delivery END
      AS out_for_delivery,
    CASE WHEN item_times.giving_back < asked.end_at THEN item_times.giving_back END AS giving_back,
    CASE WHEN item_times.deliver < asked.end_at THEN item_times.deliver END AS deliver,
    CASE WHEN item_times.cancel < asked.end_at THEN item_times.cancel END AS cancel
  FROM item_times
  CROSS JOIN (
    SELECT base_ms, day_no, (end_ms - base_ms) * 268435456 AS end_at FROM asked
  ) AS asked
),
ends AS (
  SELECT
    known.*,
    CASE
      WHEN deliver IS NULL THEN cancel
      WHEN cancel IS NULL THEN deliver
      WHEN deliver < cancel THEN deliver
      ELSE cancel
    END AS ended
  FROM known
  WHERE last_scan IS NOT NULL
)
SELECT
  item,
  service_class,
  ended,
  MOD(CAST(FLOOR(first_scan / 8388608) AS BIGINT), 32) AS first_code_no,
  MOD(CAST(FLOOR(last_scan / 8388608) AS BIGINT), 32) AS last_code_no,
  MOD(last_scan, 8388608) AS last_site_no,
  MOD(accept, 8388608) AS accept_site_no,
  MOD(deliver, 8388608) AS deliver_site_no,
  base_ms + CAST(FLOOR(first_scan / 268435456) AS BIGINT) AS first_ms,
  base_ms + CAST(FLOOR(last_scan / 268435456) AS BIGINT) AS last_ms,
  base_ms + CAST(FLOOR(accept / 268435456) AS BIGINT) AS accepted_ms,
  base_ms + CAST(FLOOR(out_for_delivery / 268435456) AS BIGINT) AS out_ms,
  base_ms + CAST(FLOOR(deliver / 268435456) AS BIGINT) AS delivered_ms,
  base_ms + CAST(FLOOR(ended / 268435456) AS BIGINT) AS ended_ms,
  base_ms + CAST(FLOOR(giving_back / 268435456) AS BIGINT) AS giving_back_ms,
  CASE WHEN cancel = ended THEN 1 ELSE 0 END AS is_cancelled,
  CASE WHEN giving_back < deliver THEN 1 ELSE 0 END AS is_returned,
  is_registered,
  is_inspected,
  is_screened
FROM ends
