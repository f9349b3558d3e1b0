-- Of each item present: the destination that an attribute of its latest scan with one names. DuckDB: JSON is in no
-- SQL of 2003.
SELECT present_items.item, MAX_BY(told.destination, (told.at_ms, told.destination)) AS destination
FROM (
  SELECT
    valid_events.item,
    valid_events.at_ms,
    JSON_EXTRACT_STRING(valid_events.attributes, asked_attribute.path) AS destination
  FROM valid_events
  CROSS JOIN asked_attribute
  WHERE valid_events.attributes IS NOT NULL
) AS told
INNER JOIN present_items ON present_items.item = told.item
WHERE told.destination <> ''
GROUP BY present_items.item
