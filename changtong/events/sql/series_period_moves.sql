-- Pieces that moved from one site to the next, by the hour in which they were first seen at the next.
SELECT
  slots.period_no,
  origin.site_id AS from_site,
  destination.site_id AS to_site,
  CAST(SUM(moved.pieces) AS BIGINT) AS pieces
FROM moved
INNER JOIN slots ON slots.slot_no = moved.slot_no
INNER JOIN site_numbers AS origin ON origin.site_no = moved.site_before
INNER JOIN site_numbers AS destination ON destination.site_no = moved.site_no
WHERE slots.period_no >= 0 AND origin.site_id <> '' AND destination.site_id <> ''
GROUP BY slots.period_no, origin.site_id, destination.site_id
