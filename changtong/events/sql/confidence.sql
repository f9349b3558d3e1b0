-- Confidence (数据可信度): how complete the scans are, between 0 and 1: whole_chain_share * scanning_share.
-- whole_chain_share. All and by class: of the items delivered in the day, those whose chain of scans has no gap:
-- it begins with acceptance, every stay after the first begins with a scan of arrival (arrive, unload, receive,
-- unpack), every stay before the last ends with one of leaving (pack, load, depart, out_for_delivery), and the
-- item had a stay where it was delivered. By site, region, operator and kind: of the stays that ended there in the day,
-- those without a gap at either end.
-- scanning_share: of the usual sites (site_states.sql, less weekdays off), those with at least half of their usual scans.
-- A class has the scanning_share of all. Where a share cannot be told, it is null, and so is the confidence.
-- Unit: share. Source: definition of ours (docs/indicators.md).
WITH marked AS (
  SELECT
    stays.item,
    stays.site_no,
    stays.gone_ms,
    CASE
      WHEN stays.is_first = 1 AND stays.first_code_no <> 1 THEN 0
      WHEN stays.is_first = 0 AND stays.begins_by_arriving = 0 THEN 0
      WHEN stays.is_last = 0 AND stays.ends_by_leaving = 0 THEN 0
      ELSE 1
    END AS is_whole
  FROM stays
),
chains AS (
  SELECT
    day_items.service_class,
    day_items.item,
    MIN(marked.is_whole)
    * MAX(CASE WHEN marked.site_no = day_items.deliver_site_no THEN 1 ELSE 0 END) AS is_whole
  FROM day_items
  CROSS JOIN asked
  LEFT JOIN marked ON marked.item = day_items.item
  WHERE
    day_items.delivered_ms >= asked.begin_ms
    AND day_items.delivered_ms = day_items.ended_ms
    AND day_items.is_returned = 0
  GROUP BY day_items.service_class, day_items.item
),
chain_shares AS (
  SELECT
    CASE WHEN GROUPING(service_class) = 0 THEN 'service_class' ELSE 'all' END AS dimension,
    COALESCE(service_class, '') AS member,
    CAST(COUNT(*) AS BIGINT) AS pieces,
    CAST(SUM(COALESCE(is_whole, 0)) AS BIGINT) AS whole
  FROM chains
  GROUP BY GROUPING SETS ((), (service_class))
  HAVING COUNT(*) > 0
  UNION ALL
  SELECT
    CASE
      WHEN GROUPING(site_id) = 0 THEN 'site'
      WHEN GROUPING(region) = 0 THEN 'region'
      WHEN GROUPING(operator) = 0 THEN 'operator'
      ELSE 'kind'
    END AS dimension,
    COALESCE(site_id, region, operator, kind) AS member,
    CAST(COUNT(*) AS BIGINT) AS pieces,
    CAST(SUM(is_whole) AS BIGINT) AS whole
  FROM marked
  CROSS JOIN asked
  INNER JOIN site_numbers ON site_numbers.site_no = marked.site_no
  WHERE marked.gone_ms >= asked.begin_ms
  GROUP BY GROUPING SETS ((site_id), (region), (operator), (kind))
),
site_shares AS (
  SELECT
    CASE
      WHEN GROUPING(site_id) = 0 THEN 'site'
      WHEN GROUPING(region) = 0 THEN 'region'
      WHEN GROUPING(operator) = 0 THEN 'operator'
      WHEN GROUPING(kind) = 0 THEN 'kind'
      ELSE 'all'
    END AS dimension,
    COALESCE(site_id, region, operator, kind, '') AS member,
    CAST(COUNT(*) AS BIGINT) AS usual,
    CAST(SUM(CASE WHEN 2 * scans >= usual_scans THEN 1 ELSE 0 END) AS BIGINT) AS scanning
  FROM site_states
  INNER JOIN site_numbers ON site_numbers.site_no = site_states.site_no
  WHERE site_states.is_usual = 1 AND site_states.is_resting = 0
  GROUP BY GROUPING SETS ((), (site_id), (region), (operator), (kind))
  HAVING COUNT(*) > 0
),
members AS (
  SELECT dimension, member FROM chain_shares
  UNION
  SELECT dimension, member FROM site_shares
),
shares AS (
  SELECT
    members.dimension,
    members.member,
    chain_shares.pieces,
    CAST(chain_shares.whole AS DOUBLE) / NULLIF(chain_shares.pieces, 0) AS whole_chain_share,
    CAST(site_shares.scanning AS DOUBLE) / NULLIF(site_shares.usual, 0) AS scanning_share
  FROM members
  LEFT JOIN chain_shares
    ON chain_shares.dimension = members.dimension AND chain_shares.member = members.member
  LEFT JOIN site_shares
    ON
      site_shares.dimension = CASE WHEN members.dimension = 'service_class' THEN 'all' ELSE members.dimension END
      AND site_shares.member = CASE WHEN members.dimension = 'service_class' THEN '' ELSE members.member END
)
SELECT
  measures.indicator,
  shares.dimension,
  shares.member,
  CAST(NULL AS BIGINT) AS hour,
  CASE measures.indicator
    WHEN 'whole_chain_share' THEN shares.whole_chain_share
    WHEN 'scanning_share' THEN shares.scanning_share
    ELSE shares.whole_chain_share * shares.scanning_share
  END AS value,
  shares.pieces
FROM shares
CROSS JOIN (VALUES ('whole_chain_share'), ('scanning_share'), ('confidence')) AS measures (indicator)
