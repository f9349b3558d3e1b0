-- Pieces at a site or on the road at the end asked for, by all that says where they go. Unit: pieces.
SELECT
  CAST(present_items.on_road AS BIGINT) AS on_road,
  site_numbers.site_id,
  present_items.service_class,
  CAST(present_items.begins_here AS BIGINT) AS begins_here,
  CAST(present_items.was_out AS BIGINT) AS was_out,
  COALESCE(back_numbers.site_id, '') AS back_site_id,
  COALESCE(next_sites.next_site_id, '') AS next_site_id,
  COALESCE(told_destination.destination, '') AS destination,
  present_items.quarters,
  CAST(COUNT(*) AS BIGINT) AS pieces
FROM present_items
INNER JOIN site_numbers ON site_numbers.site_no = present_items.site_no
LEFT JOIN site_numbers AS back_numbers ON back_numbers.site_no = present_items.back_site_no
LEFT JOIN told_next ON told_next.item = present_items.item
LEFT JOIN next_sites ON next_sites.next_no = told_next.next_no
LEFT JOIN told_destination ON told_destination.item = present_items.item
GROUP BY
  present_items.on_road, site_numbers.site_id, present_items.service_class, present_items.begins_here,
  present_items.was_out, COALESCE(back_numbers.site_id, ''), COALESCE(next_sites.next_site_id, ''),
  COALESCE(told_destination.destination, ''), present_items.quarters
