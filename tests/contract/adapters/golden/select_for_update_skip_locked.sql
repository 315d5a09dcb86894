SELECT cf_item.id
FROM cf_item
WHERE cf_item.status = ? FOR UPDATE SKIP LOCKED
