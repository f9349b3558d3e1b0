-- Scans of each site in each period, of bags and vehicles as well: they too show that somebody works there.
SELECT
  site_numbers.site_no,
  slotted.period_no,
  CAST(SUM(slotted.scans) AS BIGINT) AS scans
FROM (
  SELECT counted.site_id, slots.period_no, counted.scans
  FROM (
    SELECT
      COALESCE(valid_events.site_id, '') AS site_id,
      CAST(FLOOR((valid_events.at_ms - asked.base_ms) / 900000) AS BIGINT) AS slot_no,
      COUNT(*) AS scans
    FROM valid_events
    CROSS JOIN asked
    WHERE valid_events.at_ms >= asked.begin_ms
    GROUP BY
      COALESCE(valid_events.site_id, ''), CAST(FLOOR((valid_events.at_ms - asked.base_ms) / 900000) AS BIGINT)
  ) AS counted
  INNER JOIN slots ON slots.slot_no = counted.slot_no
  WHERE slots.period_no >= 0
) AS slotted
INNER JOIN site_numbers ON site_numbers.site_id = slotted.site_id
GROUP BY site_numbers.site_no, slotted.period_no
