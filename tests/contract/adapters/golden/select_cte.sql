WITH totals AS
(SELECT cf_line.item_id AS item_id, count(*) AS lines
FROM cf_line GROUP BY cf_line.item_id)
 SELECT cf_item.no, totals.lines
FROM cf_item JOIN totals ON totals.item_id = cf_item.id ORDER BY cf_item.id
