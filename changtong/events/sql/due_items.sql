-- Items that may fall due or be delivered on the day asked for: accepted since due_from_ms, or of day_items.sql.
SELECT items.*
FROM items
CROSS JOIN asked
WHERE
  items.accepted_ms >= asked.due_from_ms
  OR (
    items.last_ms >= asked.look_back_ms
    AND (items.ended IS NULL OR items.ended_ms >= asked.begin_ms OR items.accepted_ms >= asked.begin_ms)
  )
