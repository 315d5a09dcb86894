DROP TABLE cf_line
