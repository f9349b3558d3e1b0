-- Of each item present: the next site that the last of its scans in its stay names; scans that name the site itself
-- say nothing. When and what in one integer, as in scans.sql, with the number of the next site behind.
SELECT
  present_items.item,
  MOD(
    MAX(((valid_events.at_ms - asked.base_ms) * 32 + codes.code_no) * 8388608 + next_sites.next_no), 8388608
  ) AS next_no
FROM valid_events
CROSS JOIN asked
INNER JOIN present_items ON present_items.item = valid_events.item
INNER JOIN site_numbers ON site_numbers.site_no = present_items.site_no
INNER JOIN codes ON codes.code = valid_events.code
INNER JOIN next_sites ON next_sites.next_site_id = valid_events.next_site_id
WHERE
  valid_events.at_ms >= present_items.from_ms
  AND COALESCE(valid_events.site_id, '') = site_numbers.site_id
  AND valid_events.next_site_id <> COALESCE(valid_events.site_id, '')
GROUP BY present_items.item
