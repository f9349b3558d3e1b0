-- One row for each item: its first scan of each kind that matters, its last scan, and its last one before
-- cut_ms (the end of the day before), so that one pass serves both days. All are place_times.
SELECT
  scans.item,
  COALESCE(MIN(scans.service_class), '') AS service_class,
  MIN(scans.place_time) AS first_scan,
  MAX(scans.place_time) AS last_scan,
  MAX(CASE WHEN scans.place_time < (asked.cut_ms - asked.base_ms) * 268435456 THEN scans.place_time END)
    AS last_scan_before_cut,
  MIN(CASE WHEN scans.code_no = 1 THEN scans.place_time END) AS accept,
  MIN(CASE WHEN scans.code_no = 2 THEN scans.place_time END) AS register,
  MIN(CASE WHEN scans.code_no = 3 THEN scans.place_time END) AS inspect,
  MIN(CASE WHEN scans.code_no = 4 THEN scans.place_time END) AS screen,
  MIN(CASE WHEN scans.code_no = 17 THEN scans.place_time END) AS out_for_delivery,
  MIN(CASE WHEN scans.code_no = 19 THEN scans.place_time END) AS giving_back,
  MIN(CASE WHEN scans.code_no = 20 THEN scans.place_time END) AS deliver,
  MIN(CASE WHEN scans.code_no = 21 THEN scans.place_time END) AS cancel
FROM scans
CROSS JOIN asked
GROUP BY scans.item
