-- Pieces that moved from one site to the next, by the quarter of an hour in which they were first seen there.
SELECT
  site_before,
  site_no,
  CAST(FLOOR(place_time / 241591910400000) AS BIGINT) AS slot_no,
  CAST(COUNT(*) AS BIGINT) AS pieces
FROM steps
WHERE in_time = 1 AND site_before <> site_no AND after_end = 0
GROUP BY site_before, site_no, CAST(FLOOR(place_time / 241591910400000) AS BIGINT)
