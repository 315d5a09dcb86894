SELECT cf_item.id
FROM cf_item
WHERE cf_item.id IN (SELECT cf_line.item_id
FROM cf_line)
