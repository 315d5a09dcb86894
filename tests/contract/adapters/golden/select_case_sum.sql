SELECT sum(CASE WHEN (cf_item.paid = 1) THEN cf_item.price_fen ELSE ? END) AS sum_1, count(DISTINCT cf_item.status) AS count_1
FROM cf_item
