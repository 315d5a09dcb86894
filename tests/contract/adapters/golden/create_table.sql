CREATE TABLE cf_item (
	id BIGINT NOT NULL,
	no VARCHAR(80) NOT NULL,
	price_fen BIGINT NOT NULL,
	paid SMALLINT NOT NULL,
	status VARCHAR(48) NOT NULL,
	owner VARCHAR(144),
	attrs CLOB,
	remark VARCHAR(120),
	made_at TIMESTAMP(6),
	made_on DATE,
	rate NUMERIC(12, 6),
	picture BLOB,
	story CLOB,
	PRIMARY KEY (id),
	CONSTRAINT ck_cf_item_price CHECK (price_fen >= 0),
	CONSTRAINT cf_item_no_key UNIQUE (no)
)
