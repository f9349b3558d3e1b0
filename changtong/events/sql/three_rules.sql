-- The three rules (三项制度): shares of items with a scan that tells of real-name registration (实名收寄),
-- inspection (收寄验视) and screening (过机安检). *_share: of the items accepted in the day, as known at its end
-- (screening may still lie ahead); *_share_of_delivered: of those delivered in the day, whose way is over.
-- By the site of acceptance. Exemptions (letters, customers with an agreement) are not in the log: every item counts.
-- Unit: share. Source: duties of the provisional regulations on express delivery, articles 22, 31, 32 (S18).
WITH cohorts AS (
  SELECT '_share' AS cohort, day_items.*
  FROM day_items
  CROSS JOIN asked
  WHERE day_items.accepted_ms >= asked.begin_ms
  UNION ALL
  SELECT '_share_of_delivered' AS cohort, day_items.*
  FROM day_items
  CROSS JOIN asked
  WHERE
    day_items.delivered_ms >= asked.begin_ms
    AND day_items.delivered_ms = day_items.ended_ms
    AND day_items.is_returned = 0
    AND day_items.accepted_ms IS NOT NULL
),
counted AS (
  SELECT
    cohorts.cohort,
    site_numbers.site_id, site_numbers.region, site_numbers.operator,
    cohorts.service_class,
    CAST(COUNT(*) AS BIGINT) AS pieces,
    CAST(SUM(cohorts.is_registered) AS BIGINT) AS registered,
    CAST(SUM(cohorts.is_inspected) AS BIGINT) AS inspected,
    CAST(SUM(cohorts.is_screened) AS BIGINT) AS screened
  FROM cohorts
  INNER JOIN site_numbers ON site_numbers.site_no = cohorts.accept_site_no
  GROUP BY cohorts.cohort, site_numbers.site_id, site_numbers.region, site_numbers.operator, cohorts.service_class
),
grouped AS (
  SELECT
    cohort,
    CASE
      WHEN GROUPING(site_id) = 0 THEN 'site'
      WHEN GROUPING(region) = 0 THEN 'region'
      WHEN GROUPING(operator) = 0 THEN 'operator'
      WHEN GROUPING(service_class) = 0 THEN 'service_class'
      ELSE 'all'
    END AS dimension,
    COALESCE(site_id, region, operator, service_class, '') AS member,
    CAST(SUM(pieces) AS BIGINT) AS pieces,
    CAST(SUM(registered) AS BIGINT) AS registered,
    CAST(SUM(inspected) AS BIGINT) AS inspected,
    CAST(SUM(screened) AS BIGINT) AS screened
  FROM counted
  GROUP BY GROUPING SETS (
    (cohort), (cohort, site_id), (cohort, region), (cohort, operator),
    (cohort, service_class)
  )
  HAVING COUNT(*) > 0
)
SELECT
  CONCAT(rules.rule, grouped.cohort) AS indicator,
  grouped.dimension,
  grouped.member,
  CAST(NULL AS BIGINT) AS hour,
  CAST(
    CASE rules.rule
      WHEN 'registered' THEN grouped.registered
      WHEN 'inspected' THEN grouped.inspected
      ELSE grouped.screened
    END AS DOUBLE
  ) / grouped.pieces AS value,
  grouped.pieces
FROM grouped
CROSS JOIN (VALUES ('registered'), ('inspected'), ('screened')) AS rules (rule)
