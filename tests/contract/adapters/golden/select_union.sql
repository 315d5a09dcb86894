SELECT cf_item.id
FROM cf_item
WHERE cf_item.paid = 1 UNION ALL SELECT cf_line.item_id
FROM cf_line ORDER BY id
