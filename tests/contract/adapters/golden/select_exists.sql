SELECT cf_item.id
FROM cf_item
WHERE EXISTS (SELECT *
FROM cf_line
WHERE cf_line.item_id = cf_item.id)
