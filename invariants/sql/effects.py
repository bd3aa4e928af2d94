"""`sql_loses(s)` and `sql_changes(s)`: the effects of statements on the data, by their tokens.

Loses: a table, a schema or a column is dropped, or every row of a table is deleted or overwritten.
Changes: anything but reading. A statement that is built at run time, or whose condition may be true
of every row, is unknown: Failure. A loss in one dialect's reading counts, though others may read a
comment there. Functions and procedures are not analysed.

Source: the manuals of PostgreSQL 16, MySQL 8.4, SQLite 3.45, SQL Server 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, Literal

from ..values.tables import table
from ..values.unknown_text import UnknownText
from ..values.value import Failure, text
from .condition import ALL, DEPTH_MAX, Condition
from .tokens import Statement, Token, readings

Effect = Literal["reads", "changes", "loses"]

_READING: Final = table(
    "SELECT SHOW DESCRIBE DESC VALUES TABLE USE SET BEGIN COMMIT ROLLBACK ABORT START END "
    "SAVEPOINT RELEASE PRAGMA EXPLAIN HELP LIST FETCH CLOSE DECLARE CHECKPOINT RESET WITH IF GO "
    "PRINT WHILE DISCARD LISTEN UNLISTEN ANALYZE ANALYSE"
)
_BUILT: Final = table("CALL EXEC EXECUTE PREPARE DO SOURCE SYSTEM RUN HANDLER")
_CHANGING: Final = table(
    "INSERT REPLACE UPSERT CREATE ALTER GRANT REVOKE COPY LOAD IMPORT RENAME COMMENT BULK "
    "VACUUM OPTIMIZE REINDEX REFRESH LOCK UNLOCK KILL ATTACH DETACH MERGE SECURITY FLUSH "
    "NOTIFY CLUSTER REPAIR"
)
_LATER: Final = table("FUNCTION PROCEDURE TRIGGER RULE EVENT PACKAGE POLICY")
"""The objects of `CREATE` that contain statements for later execution."""
_LOSING: Final = table("DROP TRUNCATE DELETE UPDATE")
_WRITING: Final = table("INSERT MERGE REPLACE UPSERT")
_BEGINNING: Final = _LOSING | _WRITING | {"SELECT"}
_AS_NAMES: Final = table("ON FOR KEY BEFORE AFTER OF OR NO AS BY DO SELECT DISTINCT FROM , . =")
"""Behind these words `DELETE` and `UPDATE` begin no statement: `FOR UPDATE`."""
_BEFORE_PART: Final = frozenset({"THEN"})
"""Before the `DELETE` of a `MERGE`."""
_BEHIND_NAMES: Final = table("( , . = ) ;")
_RUNNING: Final = table("EXEC EXECUTE PREPARE")
_NAMED_RUNNING: Final = table("DROP DEALLOCATE . , SELECT")
_DROPPED: Final = table(
    "TABLE TABLES DATABASE SCHEMA VIEW MATERIALIZED COLUMN USER ROLE LOGIN OWNED INDEX SEQUENCE "
    "EXTENSION TABLESPACE KEYSPACE TYPE DOMAIN SERVER PARTITION TEMPORARY TEMP TRIGGER FUNCTION"
)
_ALTER: Final = Token("word", "ALTER")
_WHERE: Final = Token("word", "WHERE")
_ENDS: Final = frozenset({"RETURNING", "ORDER", "OPTION", "OUTPUT", "UNION", "GO", "END"})
_LIGHT_DROPS: Final = table(
    "CONSTRAINT DEFAULT NOT IDENTITY EXPRESSION CHECK FOREIGN PRIMARY INDEX KEY TEMPORARY TEMP "
    "TRIGGER FUNCTION PROCEDURE POLICY RULE EVENT PREPARE STATISTICS"
)
# Source: the manuals of psql and SQLite; commands that only display something, or configure the
# display.
_SHOWING_COMMANDS: Final = table(
    r"\l \x \timing \pset \c \conninfo \q \a \t \h \? \echo \e \p \r \s \z \set \unset "
    ".tables .schema .headers .header .mode .quit .exit .help .databases .indexes .indices .show "
    ".width .timer .bail .echo .nullvalue .separator .fullschema .dump .eqp .stats .changes"
)
_BUILDING_CALLS: Final = table(
    "DBLINK DBLINK_EXEC QUERY_TO_XML QUERY_TO_XML_AND_XMLSCHEMA CURSOR_TO_XML OPENQUERY "
    "OPENROWSET LO_IMPORT LO_EXPORT LOAD_EXTENSION SP_EXECUTESQL XP_CMDSHELL EVAL"
)


def sql_loses(written: Any) -> bool:
    """True if some statement loses the content of a whole table, schema or column."""
    return _is_met(written, "sql_loses", lambda effect: effect == "loses")


def sql_changes(written: Any) -> bool:
    """Does some statement do more than read? How many rows it changes does not matter."""
    return _is_met(written, "sql_changes", lambda effect: effect != "reads")


def _is_met(written: Any, function: str, is_meant: Callable[[Effect], bool]) -> bool:
    """True if a dialect that can read all of it finds the effect; Failure if one might."""
    if type(written) is UnknownText:
        raise Failure(written.reason)
    is_read = partly = False
    doubts: list[Failure] = []
    for reading in readings(text(written, function)):
        is_read = is_read or reading.is_whole
        for statement in reading.statements:
            try:
                is_so = any(is_meant(effect) for effect in _effects(statement))
            except Failure as met:
                doubts.append(met)
                continue
            if is_so and reading.is_whole:
                return True
            partly = partly or is_so
    if partly:
        raise Failure("SQL that dialects read in several ways")
    if doubts:
        raise doubts[0]
    if not is_read:
        raise Failure("SQL with an open quote or comment")
    return False


def _effects(statement: Statement) -> Iterator[Effect]:
    """The effects of a statement and of the statements in it; raises Failure if unknown."""
    statement = _without_brackets(statement)
    if not statement:
        return
    first = statement[0]
    if first.kind == "command":
        yield _of_command(first.text)
        return
    verb = first.text if first.kind == "word" else ""
    words = [token.text for token in statement if token.kind == "word"]
    if verb in _BUILT or _BUILDING_CALLS & set(words):
        raise Failure("SQL that is built when it runs")
    if verb in ("EXPLAIN", "DESCRIBE", "DESC") and not {"ANALYZE", "ANALYSE"} & set(words):
        return
    if verb in ("GRANT", "REVOKE", "COMMENT") or (verb == "CREATE" and _LATER & set(words[1:4])):
        yield "changes"
        return
    if verb == "CREATE" and words[1:3] == ["OR", "REPLACE"] and "TABLE" in words[3:6]:
        yield "loses"
    if verb == "SET" and words[1:2] in (["GLOBAL"], ["PERSIST"]):
        yield "changes"
    if verb == "PRAGMA" and any(token.text == "=" for token in statement):
        yield "changes"
    if verb in ("SELECT", "WITH", "TABLE", "VALUES") and "INTO" in words:
        yield "changes"
    if verb in _CHANGING:
        yield _changing(verb, words)
    elif verb not in _READING and verb not in _LOSING:
        if (_LOSING | _WRITING) & set(words):
            raise Failure("SQL that begins with a word that is not known")
        yield "changes" if verb else "reads"
    yield from _within(statement)


def _without_brackets(statement: Statement) -> Statement:
    start = 0
    while start < len(statement) and statement[start].text in ("(", "{"):
        start += 1
    return statement[start:] if start else statement


def _of_command(written: str) -> Effect:
    """A line that a client reads by itself."""
    name = written.split(maxsplit=1)[0]
    if name in _SHOWING_COMMANDS or name.startswith("\\d"):
        return "reads"
    raise Failure("SQL that runs a command of its client")


def _changing(verb: str, words: Sequence[str]) -> Effect:
    if verb == "COPY" and "PROGRAM" in words:
        raise Failure("SQL that starts a program")
    if verb == "COPY" and ("TO", "STDOUT") in pairwise(words):
        return "reads"
    return "loses" if verb == "INSERT" and words[1:2] == ["OVERWRITE"] else "changes"


def _within(statement: Statement) -> Iterator[Effect]:
    """Each verb that loses or writes, at any place: SQL Server needs no `;` between."""
    if _depth(statement) > DEPTH_MAX:
        raise Failure("SQL that is nested too deep")
    for index, token in enumerate(statement):
        if token.kind != "word":
            continue
        after = statement[index + 1].text if index + 1 < len(statement) else ";"
        if token.text in _RUNNING and not _is_behind(statement, index, _NAMED_RUNNING):
            raise Failure("SQL that is built when it runs")
        if token.text == "DROP" and (index == 0 or after in _DROPPED or statement[0] == _ALTER):
            yield "changes" if after in _LIGHT_DROPS else "loses"
        elif token.text == "TRUNCATE" and (index == 0 or after in ("TABLE", "PARTITION")):
            yield "loses"
        elif token.text in _WRITING and _begins(statement, index):
            yield "changes"
        elif token.text in ("DELETE", "UPDATE") and _begins(statement, index):
            yield from _of_rows(token.text, statement, index)


def _depth(statement: Statement) -> int:
    depth = deepest = 0
    for token in statement:
        if token.kind == "sign" and token.text in "()":
            depth += 1 if token.text == "(" else -1
            deepest = max(deepest, depth)
    return deepest


def _is_behind(statement: Statement, index: int, words: frozenset[str]) -> bool:
    before = statement[index - 1] if index else _WHERE
    return index > 0 and before.kind in ("word", "sign") and before.text in words


def _begins(statement: Statement, index: int) -> bool:
    """True if a statement may begin there: not a column, a function, or `FOR UPDATE`."""
    if index == 0 or _is_behind(statement, index, _BEFORE_PART):
        return True
    after = statement[index + 1].text if index + 1 < len(statement) else ";"
    return not _is_behind(statement, index, _AS_NAMES) and after not in _BEHIND_NAMES


def _of_rows(verb: str, statement: Statement, start: int) -> Iterator[Effect]:
    """`DELETE` and `UPDATE`: of all rows, or of some."""
    tokens = statement[start : _end_of_rows(statement, start)]
    top = _top(tokens)
    words = [tokens[index].text for index in top if tokens[index].kind == "word"]
    if verb == "UPDATE" and "SET" not in words and statement[0] != _ALTER:
        if start == 0:
            yield "changes"
        return
    yield "changes"
    if "LIMIT" in words:
        return
    place = next((i for i in top if tokens[i] == _WHERE), None)
    if _is_behind(statement, start, _BEFORE_PART):
        where = _joined(statement)
    elif place is not None:
        end = next((i for i in top if i > place and _ends_where(tokens[i])), len(tokens))
        where = tokens[place + 1 : end]
    elif "JOIN" in words:
        raise Failure("SQL that changes the rows that a join gives")
    else:
        yield "loses"
        return
    if [token.text for token in where[:2]] == ["CURRENT", "OF"]:
        return
    # A query named by `WITH` may return every row of the table.
    head = statement[:start] if statement[0].text == "WITH" else []
    named = [*head, *tokens[1:place]]
    targets = frozenset(token.text.upper() for token in named if token.kind in ("word", "name"))
    shares = Condition(where, targets - {"FROM", "SET", "ONLY"}).shares()
    if shares == ALL:
        yield "loses"
    elif "all" in shares:
        raise Failure("SQL with a condition that may be true of every row")


def _joined(statement: Statement) -> Statement:
    """The condition of `MERGE INTO t USING s ON ... WHEN`; none of rows that match nothing."""
    texts = [token.text for token in statement]
    if "SOURCE" in texts or "ON" not in texts or "WHEN" not in texts:
        raise Failure("SQL that merges tables")
    return statement[texts.index("ON") + 1 : texts.index("WHEN")]


def _ends_where(token: Token) -> bool:
    return token.kind == "word" and token.text in _ENDS


def _end_of_rows(statement: Statement, start: int) -> int:
    """The place where the enclosing bracket closes, or another statement begins."""
    depth = 0
    for index in range(start + 1, len(statement)):
        token = statement[index]
        if token.kind == "sign" and token.text in "()":
            depth += 1 if token.text == "(" else -1
            if depth < 0:
                return index
        elif depth > 0 or token.kind != "word" or token.text not in _BEGINNING:
            continue
        elif token.text == "SELECT" or _begins(statement, index):
            return index
    return len(statement)


def _top(tokens: Sequence[Token]) -> list[int]:
    """The places outside brackets."""
    found, depth = [], 0
    for index, token in enumerate(tokens):
        if token.kind == "sign" and token.text in "()":
            depth += 1 if token.text == "(" else -1
        elif depth == 0:
            found.append(index)
    return found
