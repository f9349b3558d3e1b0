-- Items that lived on the day asked for: not ended before it, or accepted on it; last scanned within the look-back.
SELECT items.*
FROM items
CROSS JOIN asked
WHERE
  items.last_ms >= asked.look_back_ms
  AND (items.ended IS NULL OR items.ended_ms >= asked.begin_ms OR items.accepted_ms >= asked.begin_ms)
