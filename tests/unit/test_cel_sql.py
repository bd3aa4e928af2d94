"""`sql_loses` and `sql_changes`, and SQLite's own word on what a statement empties."""

from __future__ import annotations

import random
import sqlite3

import pytest

from invariants.cel.sql.effects import sql_changes, sql_loses
from invariants.cel.values import Failure

LOSES = [
    "DROP TABLE users",
    "dRoP/* x */TaBlE users",
    "DELETE\n\tFROM\nusers",
    "DELETE FROM users WHERE 1",
    "DELETE FROM users WHERE 1=1 -- AND id = 3",
    "DELETE FROM users WHERE 'a'='a'",
    "delete from u where id=id",
    "delete from u where a=1 or true",
    "delete from u where (1=1) and (2>1)",
    "DELETE FROM users -- WHERE id=1",
    "UPDATE users SET a = 1",
    "with x as (select 1) delete from u",
    "explain analyze delete from u",
    "truncate users",
    "alter table t drop column x",
    "/*!50000 DROP TABLE x */",
    "SELECT 1 WHERE 2 = 2; DELETE FROM users; SELECT 3",
    'DELETE FROM "users where id = 1"',
    "insert overwrite table t select 1",
]
CHANGES = [
    "DELETE FROM carts WHERE id = 7",
    "UPDATE t SET a='x; drop table y' WHERE id=3",
    "update u set a=1 where id in (1,2)",
    "delete from u where x in (select id from y)",
    "delete from u where id > 0 and a = 'b'",
    "select * into t from u",
    "insert into t values ('DROP TABLE x')",
    "alter table t drop constraint c",
    "delete from u limit 1",
]
READS = ["SELECT * FROM drops", "explain delete from u", "SHOW TABLES", "\\d users", "", "-- drop"]
UNKNOWN = [
    "DO $$ BEGIN EXECUTE 'DR' || 'OP TABLE users'; END $$",
    "exec('drop table x')",
    "select 1; \\! rm -rf /",
    "delete from u where name like '%'",
    "delete from u where a = 'x\\' or 1=1 --'",
    "select 'open",
    "delete from u /* a /* b */ where id = 1 */",
]


def test_what_is_lost() -> None:
    """A table, a schema, a column, or every row."""
    assert [text for text in LOSES if not sql_loses(text)] == []
    assert [text for text in (*CHANGES, *READS) if sql_loses(text)] == []


def test_what_is_changed() -> None:
    """Anything but reading."""
    assert [text for text in (*LOSES, *CHANGES) if not sql_changes(text)] == []
    assert [text for text in READS if sql_changes(text)] == []


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    """Built statements, two readings, and conditions that may hold of every row."""
    with pytest.raises(Failure):
        sql_loses(text)


def _condition(chance: random.Random, depth: int) -> str:
    if depth and chance.random() < 0.5:
        joint = chance.choice((" OR ", " AND "))
        return f"({_condition(chance, depth - 1)}{joint}{_condition(chance, depth - 1)})"
    return chance.choice(
        ("1", "0", "1=1", "1=2", "id=id", "id=2", "'a'='a'", "a='x'", "2>1", "TRUE", "id IN (1,3)")
    )


def test_sqlite_empties_only_what_is_told() -> None:
    """Deletes on a table of three rows: whatever leaves none is told as a loss, or as unknown."""
    chance = random.Random(11)
    emptied = told = 0
    for _ in range(400):
        where = _condition(chance, 2)
        text = f"DELETE FROM t WHERE {where}"
        database = sqlite3.connect(":memory:")
        database.executescript(
            "CREATE TABLE t (id, a); INSERT INTO t VALUES (1,'x'),(2,'y'),(3,'z')"
        )
        database.execute(text)
        is_empty = database.execute("SELECT count(*) FROM t").fetchone()[0] == 0
        database.close()
        try:
            answer = sql_loses(text)
        except Failure:
            continue
        emptied += is_empty
        told += answer
        assert is_empty or not answer, f"{text} leaves rows"
    assert told > 50 and told >= 0.9 * emptied
