"""What no statement for Dameng may contain (dbadapters.md §2.2, §2.5, §7, §8): name, pattern, an example it must catch."""

from __future__ import annotations

import re

# The guard's trigger body is PL/SQL; its BEGIN is no transaction's.
GUARD_BODY = re.compile(r"FOR EACH ROW BEGIN RAISE_APPLICATION_ERROR\(.*?\); END;\n/$", re.MULTILINE)
STRING = re.compile(r"'(?:[^']|'')*'")

BANNED: dict[str, tuple[str, str]] = {
    "RETURNING": (r"\bRETURNING\b", "INSERT INTO t (id) VALUES (1) RETURNING t.id INTO :ret_0;"),
    "upsert of another engine": (r"\bON (?:CONFLICT|DUPLICATE)\b", "INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING;"),
    "MERGE": (r"\bMERGE\b", "MERGE INTO t USING s ON (t.id = s.id) WHEN MATCHED THEN DELETE;"),
    "aggregate FILTER": (r"\bFILTER\s*\(", "SELECT count(*) FILTER (WHERE paid = 1) FROM t;"),
    "counted CASE": (r"\bcount\(CASE WHEN .* ELSE 0 END\)", "SELECT count(CASE WHEN paid = 1 THEN 1 ELSE 0 END) FROM t;"),
    "LATERAL": (r"\bLATERAL\b", "SELECT * FROM t, LATERAL (SELECT 1) x;"),
    "DISTINCT ON": (r"\bDISTINCT ON\b", "SELECT DISTINCT ON (a) a FROM t;"),
    "MATCH": (r"\bMATCH\b", "SELECT id FROM t WHERE MATCH (a) AGAINST (1);"),
    "row-value comparison": (r"\([\w.]+, [\w.]+\) *(?:<|>|=|<>)", "SELECT id FROM t WHERE (a, id) < (10, 5);"),
    "UPDATE … FROM": (r"\bUPDATE \w+ SET\b[^;]*\bFROM\b", "UPDATE t SET a=1 FROM s WHERE t.id = s.id;"),
    "DELETE … USING": (r"\bDELETE FROM [^;]*\bUSING\b", "DELETE FROM t USING s WHERE t.id = s.id;"),
    "IS TRUE": (r"\bIS (?:NOT )?(?:TRUE|FALSE|1|0)\b", "SELECT id FROM t WHERE paid IS 1;"),
    "IS DISTINCT FROM": (r"\bIS (?:NOT )?DISTINCT FROM\b", "SELECT id FROM t WHERE a IS DISTINCT FROM b;"),
    "cast of PostgreSQL": (r"::", "SELECT a::text FROM t;"),
    "FOR SHARE or OF": (r"\bFOR (?:SHARE|UPDATE OF)\b|\bLOCK IN SHARE MODE\b", "SELECT id FROM t FOR UPDATE OF a NOWAIT;"),
    "lock with a row limit": (r"\b(?:FETCH FIRST|LIMIT)\b[^;]*\bFOR UPDATE\b", "SELECT id FROM t FETCH FIRST 1 ROWS ONLY FOR UPDATE;"),
    "VALUES as a table": (r"\bFROM \(VALUES\b", "SELECT a FROM (VALUES (1)) AS v (a);"),
    "key made by the server": (r"\b(?:IDENTITY|AUTO_INCREMENT|SERIAL|BIGSERIAL|SEQUENCE)\b", "CREATE TABLE t (id BIGINT IDENTITY(1, 1));"),
    "generated column": (r"\bGENERATED (?:ALWAYS|BY DEFAULT)\b|\bAS \(.*\) (?:STORED|VIRTUAL|PERSISTED)\b", "CREATE TABLE t (n INTEGER GENERATED ALWAYS AS (id + 1));"),
    "guard of CREATE or DROP": (r"\bIF (?:NOT )?EXISTS\b", "CREATE INDEX IF NOT EXISTS ix ON t (a);"),
    "partial index": (r"\bCREATE (?:UNIQUE )?INDEX [^;]*\bWHERE\b", "CREATE UNIQUE INDEX ux ON t (a) WHERE gone = 0;"),
    "functional index": (r"\bCREATE (?:UNIQUE )?INDEX \w+ ON \w+ \([^;]*\(", "CREATE INDEX ix ON t (lower(a));"),
    "VARCHAR without bytes": (r"\bVARCHAR\b(?!\(\d+\))|\bVARCHAR2\b|\bN?CHAR\(", "CREATE TABLE t (a VARCHAR2(16 CHAR));"),
    "type of another engine": (
        r"\b(?:LONGTEXT|TEXT|JSONB?|BOOLEAN|DATETIME|TINYINT|BYTEA|UUID|ENUM|INTERVAL|REAL|FLOAT|DOUBLE)\b", "CREATE TABLE t (a DATETIME);",
    ),
    "zone-aware type": (r"\bWITH (?:LOCAL )?TIME ZONE\b", "CREATE TABLE t (a TIMESTAMP(6) WITH TIME ZONE);"),
    "TIMESTAMP without microseconds": (r"\bTIMESTAMP\b(?!\(6\))", "CREATE TABLE t (a TIMESTAMP);"),
    "array": (r"\bARRAY\b|\w\[\]", "CREATE TABLE t (a INTEGER[]);"),
    "ALTER COLUMN … TYPE": (r"\bALTER COLUMN \w+ TYPE\b", "ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(16);"),
    "DROP NOT NULL": (r"\bDROP NOT NULL\b", "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;"),
    "RENAME without COLUMN": (r"\bRENAME (?!COLUMN\b|TO\b)\w+ TO\b", "ALTER TABLE t RENAME a TO b;"),
    "referential action": (r"\bON (?:DELETE|UPDATE) (?:CASCADE|RESTRICT|SET|NO)\b", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES s (id) ON DELETE RESTRICT;"),
    "deferred constraint": (r"\bDEFERRABLE\b", "ALTER TABLE t ADD UNIQUE (a) DEFERRABLE;"),
    "transaction word": (r"\b(?:BEGIN|START TRANSACTION)\b", "BEGIN;"),
    "doubled end of a block": (r"\bEND;;", "CREATE TRIGGER x BEFORE DELETE ON t FOR EACH ROW BEGIN NULL; END;;"),
    "quotation of MySQL": (r"`", "CREATE TABLE `t` (id BIGINT);"),
}  # fmt: skip
_COMPILED = {name: re.compile(pattern) for name, (pattern, _) in BANNED.items()}


def found_in(script: str) -> list[str]:
    """Return what of the list a statement or script contains, as `name: text`; string values are not looked at."""
    words = STRING.sub("''", GUARD_BODY.sub("FOR EACH ROW", script))
    return [f"{name}: {hit[0]}" for name, pattern in _COMPILED.items() for hit in pattern.finditer(words)]
