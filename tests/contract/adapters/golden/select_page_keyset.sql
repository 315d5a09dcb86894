SELECT cf_item.id, cf_item.no
FROM cf_item
WHERE cf_item.price_fen > ? OR cf_item.price_fen = ? AND cf_item.id > ? ORDER BY cf_item.price_fen, cf_item.id
 FETCH FIRST ? ROWS ONLY
