SELECT cf_item.id
FROM cf_item
WHERE cf_item.price_fen < ? OR cf_item.price_fen = ? AND cf_item.id < ? ORDER BY cf_item.price_fen DESC, cf_item.id DESC
 FETCH FIRST ? ROWS ONLY
