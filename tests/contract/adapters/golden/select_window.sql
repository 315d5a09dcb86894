SELECT cf_item.id, row_number() OVER (PARTITION BY cf_item.status ORDER BY cf_item.price_fen DESC, cf_item.id) AS place
FROM cf_item ORDER BY cf_item.id
