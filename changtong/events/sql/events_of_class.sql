-- Rows of pieces whose newest row with a class has the one asked for; at the same instant the first by name.
-- Bags and vehicles have no class.
SELECT events_of_all.*
FROM events_of_all
INNER JOIN (
  SELECT ranked.item
  FROM (
    SELECT
      events_of_all.item,
      events_of_all.service_class,
      ROW_NUMBER() OVER (
        PARTITION BY events_of_all.item ORDER BY events_of_all.at_ms DESC, events_of_all.service_class
      ) AS place
    FROM events_of_all
    WHERE
      events_of_all.item IS NOT NULL AND events_of_all.service_class IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM voided WHERE voided.event_id = events_of_all.event_id)
  ) AS ranked
  INNER JOIN asked_class ON asked_class.service_class = ranked.service_class
  WHERE ranked.place = 1
) AS of_class ON of_class.item = events_of_all.item
