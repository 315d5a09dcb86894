INSERT INTO cf_item (id, no, price_fen, paid, status) VALUES (?, ?, ?, ?, ?);
