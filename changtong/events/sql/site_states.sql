-- What each site usually does and whether it did on the day (the 24 h before the end asked for).
-- Known days: those of the look-back on which the log has any scan. A site is usual where it scanned on at
-- least 3 known days before, and on at least half of those between its first and its last one.
-- It rests where it scanned in the week before and in the one before that, but not a week ago: a weekday off.
-- usual_scans: its mean on the days it scanned. Source: 关停率 of facts is a count of sites; the rule is ours.
WITH relative AS (
  SELECT site_days.site_no, site_days.days_back - asked.day_no AS days_back, site_days.scans, site_days.newest_ms
  FROM site_days
  CROSS JOIN asked
  WHERE
    site_days.days_back - asked.day_no >= 0
    AND site_days.days_back - asked.day_no <= asked.look_back_days
),
known_days AS (SELECT DISTINCT days_back FROM relative WHERE days_back >= 1),
spans AS (
  SELECT
    site_no,
    MIN(CASE WHEN days_back >= 1 THEN days_back END) AS last_day,
    MAX(CASE WHEN days_back >= 1 THEN days_back END) AS first_day,
    CAST(SUM(CASE WHEN days_back >= 1 THEN 1 ELSE 0 END) AS BIGINT) AS days_scanned,
    CAST(SUM(CASE WHEN days_back >= 1 THEN scans ELSE 0 END) AS BIGINT) AS scans_before,
    CAST(SUM(CASE WHEN days_back = 0 THEN scans ELSE 0 END) AS BIGINT) AS scans,
    MAX(CASE WHEN days_back BETWEEN 1 AND 6 THEN 1 ELSE 0 END) AS scanned_this_week,
    MAX(CASE WHEN days_back = 7 THEN 1 ELSE 0 END) AS scanned_a_week_ago,
    MAX(CASE WHEN days_back BETWEEN 8 AND 13 THEN 1 ELSE 0 END) AS scanned_last_week,
    MAX(newest_ms) AS newest_ms
  FROM relative
  GROUP BY site_no
),
active AS (
  SELECT spans.site_no, CAST(COUNT(known_days.days_back) AS BIGINT) AS days_known
  FROM spans
  LEFT JOIN known_days ON known_days.days_back BETWEEN spans.last_day AND spans.first_day
  GROUP BY spans.site_no
),
week AS (SELECT COUNT(*) AS week_ago_known FROM known_days WHERE days_back = 7)
SELECT
  site_numbers.site_no,
  site_numbers.is_listed,
  COALESCE(spans.scans, 0) AS scans,
  spans.newest_ms,
  CASE WHEN spans.days_scanned >= 3 AND 2 * spans.days_scanned >= active.days_known THEN 1 ELSE 0 END AS is_usual,
  CASE WHEN spans.days_scanned > 0 THEN spans.scans_before / spans.days_scanned END AS usual_scans,
  CASE
    WHEN
      week.week_ago_known > 0
      AND spans.scanned_this_week = 1
      AND spans.scanned_a_week_ago = 0
      AND spans.scanned_last_week = 1
      THEN 1
    ELSE 0
  END AS is_resting
FROM site_numbers
CROSS JOIN week
LEFT JOIN spans ON spans.site_no = site_numbers.site_no
LEFT JOIN active ON active.site_no = site_numbers.site_no
