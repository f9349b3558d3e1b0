-- Every site that a scan names as the next one, numbered by its id.
SELECT CAST(ROW_NUMBER() OVER (ORDER BY next_site_id) AS BIGINT) AS next_no, next_site_id
FROM (SELECT DISTINCT next_site_id FROM valid_events WHERE next_site_id <> '') AS named
