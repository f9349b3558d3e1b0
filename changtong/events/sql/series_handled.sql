-- By site and period: pieces that left, median hours they were there, share beyond the promise.
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
  site_no,
  period_no,
  CAST(SUM(pieces) AS BIGINT) AS handled_pieces,
  CAST(MIN(CASE WHEN reached * 2 >= total THEN minutes END) AS DOUBLE) / 60 AS dwell_median_h,
  CASE WHEN SUM(judged) > 0 THEN CAST(SUM(late) AS DOUBLE) / SUM(judged) END AS late_share
FROM running
GROUP BY site_no, period_no
