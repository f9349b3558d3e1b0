-- Backlog by site at the end of each period: pieces whose last scan by then was there and not a leaving one, and
-- no older than lost_span. What is there already when the first period begins counts from it on.
WITH changes AS (
  SELECT site_no, place_time AS at_time, 1 AS change
  FROM steps
  WHERE away = 0 AND after_end = 0 AND held = 0
  UNION ALL
  SELECT site_no, place_time AS at_time, -1 AS change
  FROM steps
  WHERE away = 1 AND held = 1
  UNION ALL
  SELECT
    steps.site_no,
    CASE WHEN steps.seen_next = 0 THEN steps.place_time + asked.lost_span ELSE steps.after END AS at_time,
    -1 AS change
  FROM steps
  CROSS JOIN asked
  WHERE steps.away = 0 AND steps.after_end = 0 AND steps.seen_next <> 1
),
slotted AS (
  SELECT site_no, CAST(FLOOR(at_time / 241591910400000) AS BIGINT) AS slot_no, SUM(change) AS change
  FROM changes
  GROUP BY site_no, CAST(FLOOR(at_time / 241591910400000) AS BIGINT)
),
summed AS (
  SELECT
    slotted.site_no,
    CASE WHEN slots.period_no < 0 THEN 0 ELSE slots.period_no END AS period_no,
    SUM(slotted.change) AS change
  FROM slotted
  INNER JOIN slots ON slots.slot_no = slotted.slot_no
  GROUP BY slotted.site_no, CASE WHEN slots.period_no < 0 THEN 0 ELSE slots.period_no END
),
grid AS (
  SELECT places.site_no, periods.period_no, CAST(0 AS BIGINT) AS change
  FROM (SELECT DISTINCT site_no FROM summed) AS places
  CROSS JOIN periods
  UNION ALL
  SELECT site_no, period_no, change FROM summed
)
SELECT
  site_no,
  period_no,
  CAST(SUM(SUM(change)) OVER (PARTITION BY site_no ORDER BY period_no) AS BIGINT) AS backlog_pieces
FROM grid
GROUP BY site_no, period_no
