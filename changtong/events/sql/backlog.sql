-- Backlog (积压量, 在库量): pieces at a site, that is in a stay that has not ended, at the end of the day and at the
-- end of each hour that is over. over_24h, over_72h: those of the end of the day that have been there longer.
-- Unit: pieces. Source: pieces waiting, as in the simulation; 72 h: backlog of 3 days is to be reported (S25).
WITH spans AS (
  SELECT
    stays.site_no,
    stays.service_class,
    CASE
      WHEN stays.from_ms < asked.begin_ms THEN 0
      ELSE CAST(FLOOR((stays.from_ms - asked.begin_ms) / 3600000) AS BIGINT)
    END AS from_hour,
    CAST(FLOOR((stays.gone_ms - asked.begin_ms) / 3600000) AS BIGINT) AS gone_hour,
    CASE WHEN stays.gone_ms IS NULL THEN 1 ELSE 0 END AS waits,
    CASE WHEN stays.gone_ms IS NULL AND asked.end_ms - stays.from_ms > 86400000 THEN 1 ELSE 0 END AS over_24h,
    CASE WHEN stays.gone_ms IS NULL AND asked.end_ms - stays.from_ms > 259200000 THEN 1 ELSE 0 END AS over_72h
  FROM stays
  CROSS JOIN asked
  WHERE stays.gone_ms IS NULL OR stays.gone_ms >= asked.begin_ms
),
changes AS (
  SELECT site_no, service_class, from_hour AS hour_no, CAST(COUNT(*) AS BIGINT) AS change
  FROM spans
  GROUP BY site_no, service_class, from_hour
  UNION ALL
  SELECT site_no, service_class, gone_hour AS hour_no, -CAST(COUNT(*) AS BIGINT) AS change
  FROM spans
  WHERE gone_hour IS NOT NULL
  GROUP BY site_no, service_class, gone_hour
),
hours AS (
  SELECT CAST(listed.hour_no AS BIGINT) AS hour_no
  FROM (
    VALUES
      (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12),
      (13), (14), (15), (16), (17), (18), (19), (20), (21), (22), (23), (24)
  ) AS listed (hour_no)
  CROSS JOIN asked
  WHERE asked.begin_ms + (listed.hour_no + 1) * 3600000 <= asked.end_ms
),
grid AS (
  SELECT places.site_no, places.service_class, hours.hour_no, CAST(0 AS BIGINT) AS change
  FROM (SELECT DISTINCT site_no, service_class FROM spans) AS places
  CROSS JOIN hours
),
running AS (
  SELECT
    site_no,
    service_class,
    hour_no,
    CAST(SUM(SUM(change)) OVER (PARTITION BY site_no, service_class ORDER BY hour_no) AS BIGINT) AS pieces
  FROM (SELECT * FROM changes UNION ALL SELECT * FROM grid) AS steps
  GROUP BY site_no, service_class, hour_no
),
measured AS (
  SELECT 'backlog_pieces' AS indicator, running.site_no, running.service_class, running.hour_no, running.pieces
  FROM running
  INNER JOIN hours ON hours.hour_no = running.hour_no
  UNION ALL
  SELECT
    measures.indicator,
    spans.site_no,
    spans.service_class,
    CAST(NULL AS BIGINT) AS hour_no,
    CAST(
      SUM(
        CASE measures.indicator
          WHEN 'backlog_pieces' THEN spans.waits
          WHEN 'backlog_over_24h_pieces' THEN spans.over_24h
          ELSE spans.over_72h
        END
      ) AS BIGINT
    ) AS pieces
  FROM spans
  CROSS JOIN (
    VALUES ('backlog_pieces'), ('backlog_over_24h_pieces'), ('backlog_over_72h_pieces')
  ) AS measures (indicator)
  GROUP BY measures.indicator, spans.site_no, spans.service_class
)
SELECT
  indicator,
  CASE
    WHEN GROUPING(site_id) = 0 THEN 'site'
    WHEN GROUPING(region) = 0 THEN 'region'
    WHEN GROUPING(operator) = 0 THEN 'operator'
    WHEN GROUPING(service_class) = 0 THEN 'service_class'
    ELSE 'all'
  END AS dimension,
  COALESCE(site_id, region, operator, service_class, '') AS member,
  hour_no AS hour,
  CAST(SUM(pieces) AS DOUBLE) AS value,
  CAST(SUM(pieces) AS BIGINT) AS pieces
FROM measured
INNER JOIN site_numbers ON site_numbers.site_no = measured.site_no
GROUP BY GROUPING SETS (
  (indicator, hour_no), (indicator, hour_no, site_id), (indicator, hour_no, region), (indicator, hour_no, operator),
  (indicator, hour_no, service_class)
)
HAVING COUNT(*) > 0
