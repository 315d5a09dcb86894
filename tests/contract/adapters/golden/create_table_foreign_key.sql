CREATE TABLE cf_line (
	id BIGINT NOT NULL,
	item_id BIGINT NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT fk_cf_line_item FOREIGN KEY(item_id) REFERENCES cf_item (id)
)
