SELECT cf_item.id
FROM cf_item
WHERE cf_item.id = ? FOR UPDATE NOWAIT
