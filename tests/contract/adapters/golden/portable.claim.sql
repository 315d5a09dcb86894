SELECT cf_item.id
FROM cf_item
WHERE cf_item.status = ? ORDER BY cf_item.id
 FETCH FIRST ? ROWS ONLY;
UPDATE cf_item SET status=?, owner=? WHERE cf_item.id = ? AND cf_item.status = ?;
UPDATE cf_item SET status=?, owner=? WHERE cf_item.id = ? AND cf_item.status = ?;
