"""One query for each indicator as one would write it by hand, on the log's files: what the indicators are measured by.

Each returns the day's figure by site. ``{begin}``, ``{end}`` and ``{base}`` are the day and the look-back; ``ev`` is
the log between ``base`` and ``end``. Ties at one instant are left to the engine, the day before is not looked at,
and nothing is told by hour, region, operator and class: less than what the indicators give.
"""

HAND_WRITTEN = {
    "accepted": """
        SELECT site, COUNT(*) FROM (
          SELECT item, MIN(at_ms) AS t, ARG_MIN(site_id, at_ms) AS site FROM ev
          WHERE code = 'accept' AND item IS NOT NULL GROUP BY item
        ) WHERE t >= {begin} GROUP BY site""",
    "delivered": """
        SELECT site, COUNT(*) FROM (
          SELECT
            item, MIN(at_ms) FILTER (code = 'deliver') AS t, MIN(at_ms) FILTER (code = 'return') AS back,
            MIN(at_ms) FILTER (code = 'cancel') AS gone, ARG_MIN(site_id, at_ms) FILTER (code = 'deliver') AS site
          FROM ev WHERE code IN ('deliver', 'return', 'cancel') AND item IS NOT NULL GROUP BY item
        ) WHERE t >= {begin} AND (back IS NULL OR back >= t) AND (gone IS NULL OR gone > t) GROUP BY site""",
    "in_transit": """
        SELECT site, COUNT(*) FROM (
          SELECT item, ARG_MAX(site_id, at_ms) AS site, BOOL_OR(code IN ('deliver', 'cancel')) AS ended
          FROM ev WHERE item IS NOT NULL AND code NOT IN ('note', 'void') GROUP BY item
        ) WHERE NOT ended GROUP BY site""",
    "in_transit_age": """
        SELECT site, QUANTILE_DISC({end} - first, [0.5, 0.9, 0.95]) FROM (
          SELECT
            item, ARG_MAX(site_id, at_ms) AS site, BOOL_OR(code IN ('deliver', 'cancel')) AS ended,
            COALESCE(MIN(at_ms) FILTER (code = 'accept'), MIN(at_ms)) AS first
          FROM ev WHERE item IS NOT NULL AND code NOT IN ('note', 'void') GROUP BY item
        ) WHERE NOT ended GROUP BY site""",
    "backlog": """
        SELECT site_id, h, COUNT(*) FROM (
          SELECT site_id, at_ms, code, LEAD(at_ms) OVER (PARTITION BY item ORDER BY at_ms) AS next
          FROM ev WHERE item IS NOT NULL AND code NOT IN ('note', 'void')
        ), RANGE(24) AS hours (h)
        WHERE code NOT IN ('depart', 'out_for_delivery', 'deliver', 'cancel')
          AND at_ms < {begin} + (h + 1) * 3600000 AND (next IS NULL OR next >= {begin} + (h + 1) * 3600000)
        GROUP BY site_id, h""",
    "backlog_age": """
        SELECT site, QUANTILE_DISC({end} - since, [0.5, 0.9, 0.95]) FROM (
          SELECT item, ARG_MAX(site_id, at_ms) AS site, ARG_MAX(code, at_ms) AS last, MAX(since) AS since FROM (
            SELECT item, at_ms, code, site_id, CASE WHEN site_id IS DISTINCT FROM
              LAG(site_id) OVER (PARTITION BY item ORDER BY at_ms) THEN at_ms END AS since
            FROM ev WHERE item IS NOT NULL AND code NOT IN ('note', 'void')
          ) GROUP BY item
        ) WHERE last NOT IN ('depart', 'out_for_delivery', 'deliver', 'cancel') GROUP BY site""",
    "dwell": """
        SELECT site_id, QUANTILE_DISC(at_ms - since, [0.5, 0.9, 0.95]) FROM (
          SELECT site_id, at_ms, code, MAX(since) OVER (PARTITION BY item ORDER BY at_ms) AS since, next_site FROM (
            SELECT
              item, site_id, at_ms, code, LEAD(site_id) OVER w AS next_site,
              CASE WHEN site_id IS DISTINCT FROM LAG(site_id) OVER w THEN at_ms END AS since
            FROM ev WHERE item IS NOT NULL AND code NOT IN ('note', 'void')
            WINDOW w AS (PARTITION BY item ORDER BY at_ms)
          )
        ) WHERE at_ms >= {begin} AND next_site IS DISTINCT FROM site_id GROUP BY site_id""",
    "stage_times": """
        SELECT origin, QUANTILE_DISC(left_ms - accepted, 0.5), QUANTILE_DISC(reached - left_ms, 0.5),
          QUANTILE_DISC(out_ms - reached, 0.5), QUANTILE_DISC(delivered - out_ms, 0.5)
        FROM (
          SELECT
            ends.item, ends.origin, ends.accepted, ends.out_ms, ends.delivered,
            MAX(ev.at_ms) FILTER (here.region = o.region) AS left_ms,
            MIN(ev.at_ms) FILTER (here.region = d.region) AS reached
          FROM (
            SELECT
              item, MIN(at_ms) FILTER (code = 'accept') AS accepted,
              ARG_MIN(site_id, at_ms) FILTER (code = 'accept') AS origin,
              MIN(at_ms) FILTER (code = 'out_for_delivery') AS out_ms,
              MIN(at_ms) FILTER (code = 'deliver') AS delivered,
              ARG_MIN(site_id, at_ms) FILTER (code = 'deliver') AS destination
            FROM ev WHERE item IS NOT NULL AND code IN ('accept', 'out_for_delivery', 'deliver') GROUP BY item
          ) AS ends
          INNER JOIN ev ON ev.item = ends.item
          INNER JOIN sites AS here ON here.site_id = ev.site_id
          INNER JOIN sites AS o ON o.site_id = ends.origin
          INNER JOIN sites AS d ON d.site_id = ends.destination
          WHERE ends.delivered >= {begin} AND o.region <> d.region
          GROUP BY ALL
        ) GROUP BY origin""",
    "on_time": """
        SELECT site, AVG(CASE WHEN delivered - accepted <= 259200000 THEN 1 ELSE 0 END) FROM (
          SELECT
            item, MIN(at_ms) FILTER (code = 'accept') AS accepted, MIN(at_ms) FILTER (code = 'deliver') AS delivered,
            ARG_MIN(site_id, at_ms) FILTER (code = 'accept') AS site, BOOL_OR(code = 'cancel') AS cancelled
          FROM ev WHERE item IS NOT NULL AND code IN ('accept', 'deliver', 'cancel') GROUP BY item
        ) WHERE accepted + 259200000 BETWEEN {begin} AND {end} - 1 AND NOT cancelled GROUP BY site""",
    "closed_share": """
        SELECT site_id, COUNT(DISTINCT (at_ms - {base}) // 86400000) AS days,
          COUNT(*) FILTER (at_ms >= {begin}) AS scans
        FROM ev GROUP BY site_id HAVING days >= 3""",
    "three_rules": """
        SELECT site, AVG(registered), AVG(inspected), AVG(screened) FROM (
          SELECT
            item, MIN(at_ms) FILTER (code = 'accept') AS accepted,
            ARG_MIN(site_id, at_ms) FILTER (code = 'accept') AS site,
            MAX(CAST(code = 'register' AS INT)) AS registered, MAX(CAST(code = 'inspect' AS INT)) AS inspected,
            MAX(CAST(code = 'screen' AS INT)) AS screened
          FROM ev WHERE item IS NOT NULL AND code IN ('accept', 'register', 'inspect', 'screen') GROUP BY item
        ) WHERE accepted >= {begin} GROUP BY site""",
    "data_age": "SELECT site_id, {end} - MAX(at_ms) FROM ev GROUP BY site_id",
    "confidence": """
        SELECT site_id, AVG(CASE WHEN before IS DISTINCT FROM site_id AND before IS NOT NULL
          AND code NOT IN ('arrive', 'unload', 'receive', 'unpack') THEN 0 ELSE 1 END)
        FROM (
          SELECT site_id, at_ms, code, LAG(site_id) OVER (PARTITION BY item ORDER BY at_ms) AS before
          FROM ev WHERE item IS NOT NULL AND code NOT IN ('note', 'void')
        ) WHERE at_ms >= {begin} GROUP BY site_id""",
    "flows": """
        SELECT o.region, d.region, COUNT(*) FROM (
          SELECT
            item, MIN(at_ms) FILTER (code = 'deliver') AS delivered,
            ARG_MIN(site_id, at_ms) FILTER (code = 'accept') AS origin,
            ARG_MIN(site_id, at_ms) FILTER (code = 'deliver') AS destination
          FROM ev WHERE item IS NOT NULL AND code IN ('accept', 'deliver') GROUP BY item
        )
        INNER JOIN sites AS o ON o.site_id = origin
        INNER JOIN sites AS d ON d.site_id = destination
        WHERE delivered >= {begin} GROUP BY ALL""",
}
