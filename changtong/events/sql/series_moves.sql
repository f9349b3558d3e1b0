-- Pieces that moved from one site to the next, by the day and period in which they were first seen at the next.
SELECT
  slots.day_no,
  slots.period_no,
  origin.site_id AS from_site,
  destination.site_id AS to_site,
  CAST(SUM(moved.pieces) AS BIGINT) AS pieces
FROM (
  SELECT
    site_before,
    site_no,
    CAST(FLOOR(place_time / 241591910400000) AS BIGINT) AS slot_no,
    CAST(COUNT(*) AS BIGINT) AS pieces
  FROM steps
  WHERE in_time = 1 AND site_before <> site_no AND after_end = 0
  GROUP BY site_before, site_no, CAST(FLOOR(place_time / 241591910400000) AS BIGINT)
) AS moved
INNER JOIN slots ON slots.slot_no = moved.slot_no
INNER JOIN site_numbers AS origin ON origin.site_no = moved.site_before
INNER JOIN site_numbers AS destination ON destination.site_no = moved.site_no
WHERE slots.day_no >= 0 AND origin.site_id <> '' AND destination.site_id <> ''
GROUP BY slots.day_no, slots.period_no, origin.site_id, destination.site_id
