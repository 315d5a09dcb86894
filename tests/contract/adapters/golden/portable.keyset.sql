SELECT cf_item.id
FROM cf_item
WHERE cf_item.price_fen > ? OR cf_item.price_fen = ? AND cf_item.status > ? OR cf_item.price_fen = ? AND cf_item.status = ? AND cf_item.id > ?;
SELECT cf_item.id
FROM cf_item
WHERE cf_item.price_fen < ? OR cf_item.price_fen = ? AND cf_item.status < ? OR cf_item.price_fen = ? AND cf_item.status = ? AND cf_item.id < ?;
