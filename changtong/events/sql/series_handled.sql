-- By site and period: pieces that left, median hours they were there, share beyond the promise.
-- A median or share of fewer than least_pieces says little and is left unknown.
-- The median is the smallest whole minute at or below which half of them lie, as in dwell.sql.
WITH counted AS (
  SELECT
    site_no,
    period_no,
    CAST(FLOOR(dwell_ms / 60000) AS BIGINT) AS minutes,
    CAST(COUNT(*) AS BIGINT) AS pieces,
    CAST(COUNT(is_late) AS BIGINT) AS judged,
    CAST(COALESCE(SUM(is_late), 0) AS BIGINT) AS late
  FROM leavings
  GROUP BY site_no, period_no, CAST(FLOOR(dwell_ms / 60000) AS BIGINT)
),
running AS (
  SELECT
    counted.*,
    SUM(pieces) OVER (PARTITION BY site_no, period_no ORDER BY minutes) AS reached,
    SUM(pieces) OVER (PARTITION BY site_no, period_no) AS total
  FROM counted
)
SELECT
  running.site_no,
  running.period_no,
  CAST(SUM(running.pieces) AS BIGINT) AS handled_pieces,
  CASE
    WHEN SUM(running.pieces) >= asked.least_pieces
      THEN CAST(MIN(CASE WHEN running.reached * 2 >= running.total THEN running.minutes END) AS DOUBLE) / 60
  END AS dwell_median_h,
  CASE
    WHEN SUM(running.judged) >= asked.least_pieces THEN CAST(SUM(running.late) AS DOUBLE) / SUM(running.judged)
  END AS late_share
FROM running
CROSS JOIN asked
GROUP BY running.site_no, running.period_no, asked.least_pieces
