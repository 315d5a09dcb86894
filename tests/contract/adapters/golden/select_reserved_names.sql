SELECT "comment"."year", "comment"."level"
FROM "comment"
