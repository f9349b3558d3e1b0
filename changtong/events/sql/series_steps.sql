-- Scans of items at which something changes: one comes to a site, leaves it, ends, or is not seen again in time.
-- Scans between others at the same site change nothing and are left out. All times are place_times (scans.sql),
-- spans included: a difference of two of them is right to the millisecond before.
-- stays_on: the scan before was at the same site, in time; held: and the piece was still there after it.
-- seen_next: 0 not in time, 1 at the same site, 2 elsewhere.
-- after_end: delivered or cancelled within the span before: strays, no presence. Ends are codes 20 and 21,
-- away are 16, 17, 20 and 21 (codes.sql).
WITH followed AS (
  SELECT
    item,
    code_no,
    place_time,
    LAG(place_time) OVER (PARTITION BY item ORDER BY place_time) AS before,
    LEAD(place_time) OVER (PARTITION BY item ORDER BY place_time) AS after,
    LAG(code_no) OVER (PARTITION BY item ORDER BY place_time) AS code_before,
    MAX(CASE WHEN code_no IN (20, 21) THEN place_time END) OVER (
      PARTITION BY item ORDER BY place_time ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS last_end
  FROM scans
),
told AS (
  SELECT
    followed.item,
    followed.code_no,
    followed.place_time,
    followed.after,
    MOD(followed.place_time, 8388608) AS site_no,
    MOD(followed.before, 8388608) AS site_before,
    CASE WHEN followed.code_no IN (16, 17, 20, 21) THEN 1 ELSE 0 END AS away,
    CASE WHEN followed.code_before IN (16, 17, 20, 21) THEN 1 ELSE 0 END AS away_before,
    CASE
      WHEN followed.place_time - followed.before <= asked.lost_span AND followed.code_before NOT IN (20, 21) THEN 1
      ELSE 0
    END AS in_time,
    CASE
      WHEN followed.after IS NULL OR followed.after - followed.place_time > asked.lost_span THEN 0
      WHEN MOD(followed.after, 8388608) = MOD(followed.place_time, 8388608) THEN 1
      ELSE 2
    END AS seen_next,
    CASE WHEN followed.place_time - followed.last_end <= asked.lost_span THEN 1 ELSE 0 END AS after_end,
    CASE WHEN followed.before - followed.last_end <= asked.lost_span THEN 1 ELSE 0 END AS after_end_before
  FROM followed
  CROSS JOIN asked
),
held AS (
  SELECT
    told.*,
    CASE WHEN in_time = 1 AND site_before = site_no THEN 1 ELSE 0 END AS stays_on,
    CASE
      WHEN in_time = 1 AND site_before = site_no AND away_before = 0 AND after_end_before = 0 THEN 1
      ELSE 0
    END AS held
  FROM told
),
edges AS (
  SELECT *
  FROM held
  WHERE code_no = 1 OR away = 1 OR held = 0 OR stays_on = 0 OR seen_next <> 1
)
SELECT
  site_no,
  site_before,
  code_no,
  place_time,
  after,
  in_time,
  stays_on,
  held,
  away,
  after_end,
  seen_next,
  MAX(CASE WHEN stays_on = 0 THEN place_time END) OVER (
    PARTITION BY item ORDER BY place_time ROWS UNBOUNDED PRECEDING
  ) AS stay_from,
  MAX(CASE WHEN code_no = 1 THEN place_time END) OVER (
    PARTITION BY item ORDER BY place_time ROWS UNBOUNDED PRECEDING
  ) AS accepted
FROM edges
