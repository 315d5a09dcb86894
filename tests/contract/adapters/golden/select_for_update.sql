SELECT cf_item.id
FROM cf_item
WHERE cf_item.id IN (__[POSTCOMPILE_id_1]) ORDER BY cf_item.id FOR UPDATE
