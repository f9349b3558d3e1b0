-- Pieces that left a site: by a scan that says so, or seen elsewhere. left_at is when that was known, so that
-- what was said of a day stays true; the stay ends with its last scan at the site (a leaving scan included).
-- A leaving scan without any before it at the site is a stay of no length. Spans beyond lost_span are cut to it.
-- is_late: beyond the promise since acceptance; null where the acceptance was not seen within twice that span.
WITH leavings AS (
  SELECT site_no, place_time AS left_at, place_time AS last_here, stay_from, accepted
  FROM steps
  WHERE away = 1 AND (held = 1 OR (stays_on = 0 AND after_end = 0 AND code_no IN (16, 17)))
  UNION ALL
  SELECT site_no, after AS left_at, place_time AS last_here, stay_from, accepted
  FROM steps
  WHERE away = 0 AND after_end = 0 AND seen_next = 2
),
spans AS (
  SELECT
    leavings.site_no,
    CAST(FLOOR(leavings.left_at / 268435456) AS BIGINT) AS left_ms,
    CAST(FLOOR(leavings.last_here / 268435456) AS BIGINT) AS last_ms,
    CAST(FLOOR(leavings.stay_from / 268435456) AS BIGINT) AS from_ms,
    CAST(FLOOR(leavings.accepted / 268435456) AS BIGINT) AS accepted_ms,
    asked.lost_ms,
    asked.promise_ms
  FROM leavings
  CROSS JOIN asked
)
SELECT
  spans.site_no,
  slots.period_no,
  CASE
    WHEN spans.from_ms >= spans.left_ms - spans.lost_ms THEN spans.last_ms - spans.from_ms
    WHEN spans.last_ms > spans.left_ms - spans.lost_ms THEN spans.last_ms - spans.left_ms + spans.lost_ms
    ELSE 0
  END AS dwell_ms,
  CASE
    WHEN spans.accepted_ms >= spans.left_ms - 2 * spans.lost_ms
      THEN CASE WHEN spans.last_ms - spans.accepted_ms > spans.promise_ms THEN 1 ELSE 0 END
  END AS is_late
FROM spans
INNER JOIN slots ON slots.slot_no = CAST(FLOOR(spans.left_ms / 900000) AS BIGINT)
WHERE slots.period_no >= 0
