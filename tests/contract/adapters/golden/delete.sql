DELETE FROM cf_item WHERE cf_item.id = ?
