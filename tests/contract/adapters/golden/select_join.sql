SELECT cf_item.no, count(cf_line.id) AS count_1
FROM cf_item LEFT OUTER JOIN cf_line ON cf_line.item_id = cf_item.id GROUP BY cf_item.no
HAVING count(cf_line.id) > ? ORDER BY cf_item.no
