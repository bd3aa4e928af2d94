"""`sql_loses(s)` and `sql_changes(s)`: what statements do to the data, by their tokens.

Loses: a table, a schema or a column is dropped, or every row of a table is deleted or overwritten.
Changes: anything but reading. A statement that is built when it runs, or whose condition may well
be true of every row, is not known: Failure. Source: the manuals of PostgreSQL 16,
MySQL 8 and SQLite 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Literal

from ..tables import table
from ..unknown_text import UnknownText
from ..values import Failure, text
from .condition import is_always_true
from .tokens import Statement, Token, statements

Effect = Literal["reads", "changes", "loses"]

_READING: Final = table(
    "SELECT SHOW DESCRIBE DESC VALUES TABLE USE SET BEGIN COMMIT ROLLBACK START END "
    "SAVEPOINT RELEASE PRAGMA EXPLAIN HELP LIST FETCH CLOSE DECLARE CHECKPOINT RESET "
    "DISCARD LISTEN"
)
_BUILT: Final = frozenset(["CALL", "EXEC", "EXECUTE", "PREPARE", "DO"])
_CHANGING: Final = table(
    "INSERT REPLACE UPSERT CREATE ALTER GRANT REVOKE COPY LOAD IMPORT RENAME COMMENT "
    "VACUUM ANALYZE OPTIMIZE REINDEX REFRESH LOCK KILL ATTACH DETACH MERGE SECURITY "
    "NOTIFY CLUSTER REPAIR"
)
_VERBS: Final = table("DROP TRUNCATE DELETE UPDATE INSERT MERGE REPLACE")
_ENDS: Final = frozenset({"RETURNING", "ORDER", "LIMIT", "FETCH"})
_LIGHT_DROPS: Final = table("CONSTRAINT DEFAULT NOT IDENTITY EXPRESSION CHECK")
# Source: psql's manual; what only shows something, or sets how it is shown.
_SHOWING_COMMANDS: Final = (
    "\\d",
    "\\l",
    "\\x",
    "\\timing",
    "\\pset",
    "\\c",
    "\\q",
    "\\a",
    "\\t",
    "\\h",
    "\\?",
)


def sql_loses(written: Any) -> bool:
    """Does some statement lose what a whole table, schema or column holds?"""
    return "loses" in _effects(written, "sql_loses")


def sql_changes(written: Any) -> bool:
    """Does some statement do more than read?"""
    try:
        return any(effect != "reads" for effect in _effects(written, "sql_changes"))
    except Failure:
        verbs = {
            token.text
            for statement in statements(text(written, "sql_changes"))
            for token in statement[:1]
        }
        # How many rows it changes is not known; that it changes some is.
        if verbs & _VERBS:
            return True
        raise


def _effects(written: Any, function: str) -> set[Effect]:
    if type(written) is UnknownText:
        raise Failure(written.reason)
    found: set[Effect] = set()
    failure: Failure | None = None
    for statement in statements(text(written, function)):
        try:
            found.add(_effect(statement))
        except Failure as met:
            failure = met
    if failure is not None and "loses" not in found:
        raise failure
    return found


def _effect(statement: Statement) -> Effect:
    while statement and statement[0].text in ("(", "{"):
        statement = statement[1:]
    if not statement:
        return "reads"
    first = statement[0]
    if first.kind == "command":
        if first.text.startswith(_SHOWING_COMMANDS) and not first.text.startswith("\\copy"):
            return "reads"
        raise Failure("SQL that runs a command of its client")
    verb = first.text if first.kind == "word" else ""
    words = [token.text for token in statement if token.kind == "word"]
    if verb in _BUILT:
        raise Failure("SQL that is built when it runs")
    if verb == "EXPLAIN":
        return _of_verbs(statement[1:], words) if "ANALYZE" in words else "reads"
    if verb == "WITH":
        return _of_verbs(statement, words)
    if verb == "SELECT":
        return "changes" if "INTO" in words else "reads"
    if verb == "PRAGMA":
        return "changes" if any(token.text == "=" for token in statement) else "reads"
    if verb in _READING:
        return "reads"
    if verb in _VERBS or verb in _CHANGING:
        return _changing(verb, statement)
    if _VERBS & set(words):
        raise Failure("SQL that begins with a word that is not known")
    return "changes" if verb else "reads"


def _of_verbs(statement: Statement, words: Sequence[str]) -> Effect:
    """A statement in which others stand."""
    effects: list[Effect] = ["reads"]
    for index, token in enumerate(statement):
        if token.kind == "word" and token.text in _VERBS:
            effects.append(_changing(token.text, statement[index:]))
    if "loses" in effects:
        return "loses"
    return "changes" if "changes" in effects or "INTO" in words else "reads"


def _changing(verb: str, statement: Statement) -> Effect:
    words = [token.text for token in statement if token.kind == "word"]
    match verb:
        case "DROP" | "TRUNCATE":
            return "loses"
        case "DELETE" | "UPDATE":
            return _of_rows(verb, statement)
        case "ALTER":
            dropped = [b for a, b in pairwise(words) if a == "DROP"]
            return "loses" if any(one not in _LIGHT_DROPS for one in dropped) else "changes"
        case "INSERT":
            return "loses" if words[1:2] == ["OVERWRITE"] else "changes"
        case _:
            return "changes"


def _of_rows(verb: str, statement: Statement) -> Effect:
    """`DELETE` and `UPDATE`: of all rows, or of some."""
    words = [token.text for token in statement]
    if verb == "DELETE" and "FROM" not in words and len(words) < 2:
        return "changes"
    if verb == "UPDATE" and "SET" not in words:
        return "changes"
    depth = 0
    where: list[Token] | None = None
    for token in statement:
        if token.kind == "sign" and token.text in "()":
            depth += 1 if token.text == "(" else -1
            if depth < 0:
                break
        if depth == 0 and token.kind == "word":
            if token.text == "WHERE" and where is None:
                where = []
                continue
            if token.text == "LIMIT":
                return "changes"
            if token.text in _ENDS and where is not None:
                break
        if where is not None:
            where.append(token)
    if where is None:
        return "loses"
    answer = is_always_true(where)
    if answer is None:
        raise Failure("SQL with a condition that may be true of every row")
    return "loses" if answer else "changes"
