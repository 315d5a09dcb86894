SELECT cf_item.id
FROM cf_item ORDER BY cf_item.id
 OFFSET ? ROWS
 FETCH FIRST ? ROWS ONLY
