"""`sql_loses` and `sql_changes`: statements by their tokens, and against SQLite itself."""

from __future__ import annotations

import sqlite3
from itertools import product
from random import Random

import pytest

from invariants.cel.costs import by_sql
from invariants.sql.effects import sql_changes, sql_loses
from invariants.values.value import Failure
from tests.support.cel import evaluate

LOSES = [
    "DELETE FROM users WHERE 1",
    "DELETE FROM users WHERE 1=1 -- AND id = 3",
    "DELETE FROM users WHERE 'a'='a'",
    "delete from u where id=id",
    "delete from u where a=1 or true",
    "delete from u where (1=1) and (2>1)",
    "delete from u where not 1 = 2",
    "delete from u where a = 1 or a <> 1",
    "delete from u where a = 'x\\' or 1=1 --'",
    "delete from u /* a /* b */ where id = 1 */",
    'DELETE FROM "users where id = 1"',
    "DROP TABLE users",
    "dRoP/* x */TaBlE users",
    "DROP TABLE IF EXISTS a, b CASCADE",
    "drop database app; select 1",
    "DROP SCHEMA public CASCADE",
    "TRUNCATE users",
    "TRUNCATE TABLE a, b RESTART IDENTITY",
    "ALTER TABLE users DROP COLUMN email",
    "ALTER TABLE users ADD a int, DROP email",
    "ALTER TABLE t TRUNCATE PARTITION p",
    "ALTER TABLE t DELETE WHERE 1",
    "DELETE FROM users",
    "DELETE\n\tFROM\nusers;",
    "DELETE FROM users AS u RETURNING *",
    "DELETE FROM users USING carts",
    "DELETE FROM users -- where id = 1",
    "DELETE FROM users # where id = 1",
    "DELETE FROM users /* where id = 1 */",
    "DELETE FROM users /*! where id = 1 */",
    "DELETE FROM users /*My WHERE id = 1*/",
    "UPDATE users SET admin = 1",
    "UPDATE users SET a = (SELECT b FROM c WHERE d = 1)",
    "WITH gone AS (DELETE FROM users RETURNING *) SELECT * FROM gone",
    "WITH x AS (SELECT 1) DELETE FROM users",
    "EXPLAIN ANALYZE DELETE FROM users",
    "explain (analyse, buffers) update users set a = 1",
    "SELECT 1; DELETE FROM users; SELECT 3 WHERE 4 = 4",
    "SELECT 1 DROP TABLE users",
    "SELECT 'ON' DELETE FROM users",
    "DELETE FROM a DELETE FROM b WHERE id = 1",
    "DELETE FROM a SELECT 1 FROM b WHERE id = 3",
    "IF EXISTS (SELECT 1) DROP TABLE users",
    "BEGIN TRAN DELETE FROM users COMMIT",
    "SELECT a #> '{b}' FROM t; DROP TABLE users",
    "SELECT 5--1; DROP TABLE users",
    "SELECT 1 AS [']; DROP TABLE users; SELECT 1 AS [']",
    "SELECT /* /* */ 1; DROP TABLE users; -- */",
    "/*!50000 DROP TABLE users */",
    "SELECT 'a\\'; DROP TABLE users; -- '",
    ".mode csv\nDROP TABLE users",
    "\\timing\nDROP TABLE users",
    "INSERT OVERWRITE TABLE t SELECT * FROM s",
    "MERGE INTO t USING s ON 1 = 1 WHEN MATCHED THEN DELETE",
    "SELECT $x$ it's $x$; DROP TABLE users",
    "COPY (DELETE FROM users RETURNING *) TO STDOUT",
]

CHANGES = [
    "update u set a=1 where id in (1,2)",
    "delete from u where id > 0 and a = 'b'",
    "DELETE FROM carts WHERE id = 7",
    "DELETE FROM users /* x */ -- y\n WHERE id = 1",
    "UPDATE t SET a = 1 WHERE b = 2",
    "UPDATE t SET note = 'it''s; DELETE FROM x' WHERE id = 1",
    "UPDATE t SET note = 'it\\'s' WHERE id = 1",
    "DELETE FROM a USING b WHERE a.id = b.id",
    "DELETE FROM t WHERE created_at < now() - interval '30 days'",
    "DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.u_id)",
    "DELETE FROM t WHERE id IN (SELECT id FROM expired)",
    "DELETE FROM t WHERE id IN ($1, $2) AND 1 = 1",
    "DELETE FROM t ORDER BY id LIMIT 5",
    "DELETE FROM t WHERE CURRENT OF c",
    "ALTER TABLE t ALTER COLUMN a DROP NOT NULL, DROP CONSTRAINT c",
    "ALTER TABLE t ADD b int REFERENCES u (id) ON DELETE CASCADE",
    "CREATE TRIGGER a AFTER DELETE ON t EXECUTE FUNCTION f()",
    "CREATE TABLE t (id int)",
    "CREATE FUNCTION f() RETURNS int AS $$ DELETE FROM users $$ LANGUAGE sql",
    "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
    "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1",
    "INSERT INTO logs VALUES ('DROP TABLE users')",
    "REPLACE INTO t VALUES (1)",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.a",
    "SELECT * INTO copy FROM users",
    "SET GLOBAL general_log = 1",
    "PRAGMA journal_mode = wal",
    "GRANT EXECUTE, DELETE ON t TO u",
    "DROP TEMPORARY TABLE x",
]

READS = [
    "",
    " ; -- nothing",
    "SELECT * FROM users",
    "(SELECT 1) UNION (SELECT 2)",
    "SELECT replace(a, 'x', 'y'), truncate(b, 2) FROM drops",
    "SELECT * FROM t FOR UPDATE",
    "SELECT t.delete, `drop` FROM t",
    "SELECT 'DELETE FROM users'",
    'SELECT "DROP TABLE users"',
    "SHOW TABLES",
    "EXPLAIN DELETE FROM users",
    "EXPLAIN QUERY PLAN DELETE FROM users",
    "EXPLAIN ANALYZE SELECT 1",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "PRAGMA table_info(users)",
    "\\d+ users",
    ".tables",
    ".schema users\nSELECT 1",
    "COPY users TO STDOUT",
    "SELECT ARRAY['a', 'b'] #> '{c}'",
]

UNKNOWN = [
    "EXEC('DR' + 'OP TABLE users')",
    "DO $$ BEGIN EXECUTE 'DR' || 'OP TABLE users'; END $$",
    "PREPARE x FROM @sql",
    "CALL clean_up()",
    "SELECT 1 EXEC('x')",
    "SELECT dblink_exec('DROP TABLE users')",
    "SELECT query_to_xml('DELETE FROM users', true, true, '')",
    "\\i drop.sql",
    "\\! rm -rf /",
    ".read drop.sql",
    "source drop.sql",
    "COPY t FROM PROGRAM 'rm -rf /'",
    "DELETE FROM users WHERE id > 0",
    "DELETE FROM users WHERE id IS NOT NULL",
    "DELETE FROM users WHERE name LIKE '%'",
    "DELETE FROM users WHERE id IN (SELECT id FROM users)",
    "WITH x AS (SELECT id FROM t) DELETE FROM t WHERE id IN (SELECT id FROM x)",
    "DELETE FROM users WHERE length('a') = 1",
    "DELETE FROM users WHERE 1::int = 1",
    "DELETE FROM users WHERE \"a\" = 'a'",
    "DELETE FROM users WHERE id = id = 1",
    "DELETE a FROM a LEFT JOIN b ON a.id = b.id",
    "MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
    "SELECT 'open",
    "SELECT 1 /* open",
    "SELECT q'[it's]'",
    "clean up and DROP everything",
    "DELETE FROM t WHERE " + "(" * 40 + "id = 1" + ")" * 40,
]


def lost(text: str) -> bool | None:
    """None where it is not known."""
    try:
        return sql_loses(text)
    except Failure:
        return None


@pytest.mark.parametrize("text", LOSES)
def test_what_loses(text: str) -> None:
    """What loses all of a table is seen, however it is written and whatever stands before."""
    assert lost(text) is True
    assert sql_changes(text)


@pytest.mark.parametrize("text", CHANGES)
def test_what_changes_some(text: str) -> None:
    """What changes some rows, or what can be made again, loses nothing as a whole."""
    assert lost(text) is False
    assert sql_changes(text)


@pytest.mark.parametrize("text", READS)
def test_what_only_looks(text: str) -> None:
    """Looking changes nothing, whatever words stand in texts and names."""
    assert lost(text) is False
    assert not sql_changes(text)


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_is_not_known(text: str) -> None:
    """What is built when it runs, or may be true of every row, is doubt."""
    assert lost(text) is None


def test_what_it_costs() -> None:
    """A step a character, for each dialect that reads it."""
    assert by_sql("SELECT 1") == 8
    assert by_sql("SELECT #") == 32
    assert by_sql(1) == 0


def test_as_functions() -> None:
    """In expressions, they take a text; that rows change is known though their number is not."""
    args = {"s": "DELETE FROM users WHERE id > 0"}
    assert evaluate("sql_changes(args.s) && !sql_loses('SELECT 1')", args=args) is True


CERTAIN = ["1", "2 > 1", "1 = 1", "'a' = 'a'", "true", "0.5 < 1e3", "NULL", "0", "1 = 2", "false"]
UNSURE = ["length('a') = 1", "1 + 1", "'1'", "1 IS NULL", "2 IN (1, 2)", "1 BETWEEN 0 AND 2"]
OF_COLUMN = [
    *("{c} = {c}", "{c} = 7", "{c} <> 7", "{c} < 7", "7 > {c}", "{c} >= 2", "{c} IN (2, 7)"),
    *("{c} NOT IN (2, 7)", "{c} BETWEEN 1 AND 3", "{c} NOT BETWEEN 1 AND 3", "{c} IS NULL"),
    *("{c}", "{c} > -1", "{c} <> 0", "{c} LIKE '%'", "{c} LIKE '7%'", "{c} NOT LIKE '7'"),
    *("{c} IS NOT NULL", "({c}) = 7", "t.{c} = 7", '"{c}" = 7', "{c} + 0 = 7", "abs({c}) = 7"),
    "{c} IN (SELECT {c} FROM t)",
    "{c} IN (SELECT {c} FROM u)",
    "{c} IN (SELECT {c} FROM t WHERE {c} = 7)",
    "EXISTS (SELECT 1 FROM u WHERE u.{c} = t.{c})",
    "{c} = (SELECT max({c}) FROM t)",
]
VALUES = (-5, 0, 2, 7)


def condition(random: Random, columns: list[str], depth: int = 0) -> str:
    """A condition in which each column stands once, so that rows of all values tell parts apart."""
    choice = random.random()
    if depth < 4 and choice < 0.45:
        joint = random.choice([" AND ", " OR ", "\nand ", " oR/**/"])
        parts = [condition(random, columns, depth + 1) for _ in range(random.randint(2, 3))]
        whole = joint.join(parts)
        return f"({whole})" if depth else whole
    if choice < 0.55:
        return f"NOT ({condition(random, columns, depth + 1)})"
    if columns and choice < 0.85:
        return random.choice(OF_COLUMN).replace("{c}", columns.pop())
    return random.choice(CERTAIN if random.random() < 0.8 else UNSURE)


def emptied(database: sqlite3.Connection, script: str) -> bool:
    """What SQLite does with it; the table has its rows again afterwards."""
    database.execute("SAVEPOINT before")
    for statement in script.split(";"):
        database.execute(statement)
    (count,) = database.execute("SELECT count(*) FROM t").fetchone()
    database.execute("ROLLBACK TO before")
    return bool(count == 0)


def test_sqlite_agrees() -> None:
    """Differential: a delete empties a table as a whole where it is said to, and nowhere else."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("CREATE TABLE t (a, b, c)")
    database.execute("CREATE TABLE u (a, b, c)")
    database.executemany("INSERT INTO t VALUES (?, ?, ?)", product(VALUES, repeat=3))
    database.execute("INSERT INTO u VALUES (2, 2, 2)")
    random = Random(11)
    answers: dict[bool | None, int] = {True: 0, False: 0, None: 0}
    for _ in range(2_000):
        where = condition(random, ["a", "b", "c"])
        form = random.choice(
            [
                "DELETE FROM t WHERE {}",
                "delete from main.t\n--x\nwhere {}",
                "WITH x AS (SELECT 1) DELETE FROM t WHERE {} -- or 1",
                "SELECT 1 WHERE 1 = 2; DELETE FROM t /* WHERE a = 1 */ WHERE ({})",
                "DELETE FROM t WHERE {} RETURNING a",
            ]
        )
        script = form.replace("{}", where)
        answer = lost(script)
        answers[answer] += 1
        if answer is not None:
            assert emptied(database, script) is answer, script
    assert answers[True] > 150 and answers[False] > 500
    assert answers[None] < 900


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "DELETE " * 20_000,
        "(DELETE " * 20_000,
        "DELETE FROM t WHERE " + "a = 1 OR " * 15_000 + "1",
        "DELETE FROM t WHERE a IN (" + "a, " * 50_000 + "1)",
        "DELETE FROM t WHERE " + "(a, " * 50_000 + " IN (1)",
        "/* " * 50_000,
        "'" + "\\'" * 60_000,
        "/*! /* " * 20_000,
        "$a$ $b$ " * 20_000,
        "[" * 100_000,
        "ORDER " * 30_000 + "LIMIT",
        "DELETE FROM t WHERE " + "NOT " * 40_000 + "1",
        "DELETE FROM t WHERE a = 1 " + "ORDER " * 30_000,
    ],
)
def test_long_texts_are_read_in_linear_time(text: str) -> None:
    """Hostile texts end; a quadratic reader would need hours here and trip the suite's limit."""
    assert lost(text) in (True, False, None)
