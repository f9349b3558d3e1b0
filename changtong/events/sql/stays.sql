-- Stays of the items of the day: scans of an item one after another at one site make one stay.
-- from_ms: first scan there. gone_ms: null while the item is still there; the last scan there where a scan
-- elsewhere follows or where that scan itself says that it left; else when the item ended.
-- Delivery and cancellation are ends, not presence. stay_no counts from 1.
WITH followed AS (
  SELECT
    scans.item,
    scans.place_time,
    LAG(scans.place_time) OVER in_time AS before,
    LEAD(scans.place_time) OVER in_time AS after
  FROM scans
  CROSS JOIN asked
  INNER JOIN day_items ON day_items.item = scans.item
  WHERE
    scans.place_time < (asked.end_ms - asked.base_ms) * 268435456
    AND (day_items.ended IS NULL OR scans.place_time < day_items.ended)
  WINDOW in_time AS (PARTITION BY scans.item ORDER BY scans.place_time)
),
edges AS (
  SELECT
    item,
    place_time,
    before,
    after,
    CASE WHEN before IS NULL OR MOD(before, 8388608) <> MOD(place_time, 8388608) THEN 1 ELSE 0 END AS begins,
    CASE WHEN after IS NULL OR MOD(after, 8388608) <> MOD(place_time, 8388608) THEN 1 ELSE 0 END AS ends
  FROM followed
  WHERE
    before IS NULL
    OR after IS NULL
    OR MOD(before, 8388608) <> MOD(place_time, 8388608)
    OR MOD(after, 8388608) <> MOD(place_time, 8388608)
),
paired AS (
  SELECT
    item,
    place_time AS first_scan,
    before,
    begins,
    CASE WHEN ends = 1 THEN place_time ELSE LEAD(place_time) OVER in_time END AS last_scan,
    CASE WHEN ends = 1 THEN after ELSE LEAD(after) OVER in_time END AS after
  FROM edges
  WINDOW in_time AS (PARTITION BY item ORDER BY place_time, begins DESC)
),
placed AS (
  SELECT
    paired.item,
    day_items.service_class,
    MOD(paired.first_scan, 8388608) AS site_no,
    MOD(paired.before, 8388608) AS site_before_no,
    MOD(CAST(FLOOR(paired.first_scan / 8388608) AS BIGINT), 32) AS first_code_no,
    MOD(CAST(FLOOR(paired.last_scan / 8388608) AS BIGINT), 32) AS last_code_no,
    asked.base_ms + CAST(FLOOR(paired.first_scan / 268435456) AS BIGINT) AS from_ms,
    asked.base_ms + CAST(FLOOR(paired.last_scan / 268435456) AS BIGINT) AS last_ms,
    CASE WHEN paired.before IS NULL THEN 1 ELSE 0 END AS is_first,
    CASE WHEN paired.after IS NULL THEN 1 ELSE 0 END AS is_last,
    day_items.ended_ms
  FROM paired
  CROSS JOIN asked
  INNER JOIN day_items ON day_items.item = paired.item
  WHERE paired.begins = 1
)
SELECT
  placed.item,
  placed.service_class,
  placed.site_no,
  placed.site_before_no,
  placed.from_ms,
  placed.last_ms,
  CASE
    WHEN placed.is_last = 0 OR ending.away = 1 THEN placed.last_ms
    ELSE placed.ended_ms
  END AS gone_ms,
  placed.is_first,
  placed.is_last,
  placed.first_code_no,
  beginning.arriving AS begins_by_arriving,
  ending.leaving AS ends_by_leaving
FROM placed
INNER JOIN codes AS beginning ON beginning.code_no = placed.first_code_no
INNER JOIN codes AS ending ON ending.code_no = placed.last_code_no
