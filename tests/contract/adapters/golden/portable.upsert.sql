UPDATE cf_item SET price_fen=? WHERE cf_item.id = ?;
INSERT INTO cf_item (id, price_fen, paid, status) VALUES (?, ?, ?, ?);
UPDATE cf_item SET price_fen=? WHERE cf_item.id = ?;
