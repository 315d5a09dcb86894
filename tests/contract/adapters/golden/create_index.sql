CREATE INDEX ix_cf_item__status ON cf_item (status, id)
