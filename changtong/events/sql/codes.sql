-- Codes of scans that say where an item is, in the order in which they follow at one and the same time.
-- arriving: the scan tells that the item has come to the site; leaving: that it goes away from it.
-- away: after it the item is no longer at the site. note and void are no scans: they move nothing.
-- Source: the contract of the scan log, docs/indicators.md.
SELECT code, CAST(code_no AS BIGINT) AS code_no, arriving, leaving, away
FROM (
  VALUES
    ('accept', 1, 1, 0, 0),
    ('register', 2, 0, 0, 0),
    ('inspect', 3, 0, 0, 0),
    ('screen', 4, 0, 0, 0),
    ('arrive', 5, 1, 0, 0),
    ('unload', 6, 1, 0, 0),
    ('receive', 7, 1, 0, 0),
    ('unpack', 8, 1, 0, 0),
    ('customs_in', 9, 0, 0, 0),
    ('customs_out', 10, 0, 0, 0),
    ('sort', 11, 0, 0, 0),
    ('hold', 12, 0, 0, 0),
    ('release', 13, 0, 0, 0),
    ('pack', 14, 0, 1, 0),
    ('load', 15, 0, 1, 0),
    ('depart', 16, 0, 1, 1),
    ('out_for_delivery', 17, 0, 1, 1),
    ('attempt', 18, 0, 0, 0),
    ('return', 19, 0, 0, 0),
    ('deliver', 20, 0, 0, 1),
    ('cancel', 21, 0, 0, 1)
) AS listed (code, code_no, arriving, leaving, away)
