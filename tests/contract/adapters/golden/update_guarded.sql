UPDATE cf_item SET price_fen=(cf_item.price_fen - ?) WHERE cf_item.id = ? AND cf_item.price_fen >= ?
