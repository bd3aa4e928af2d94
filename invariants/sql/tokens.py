"""SQL text -> statements, each a list of tokens: without comments, with quoted texts as units.

Dialects disagree about some signs, and which one will read a text is not known. So a text is read
by every dialect in which it could mean something else: `SELECT 1 # ; DROP TABLE t` is a comment in
MySQL and a statement in PostgreSQL. A reading that ends in an open quote or comment keeps the
statements before it, which a client has sent by then. Linear in the text.
Source: the manuals of PostgreSQL 16, MySQL 8.4, SQLite 3.45, SQL Server 2022 on lexical structure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ..values.value import Failure

Kind = Literal["word", "text", "name", "number", "sign", "command"]


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is in upper case for a word; without its quotes for a text or a quoted name."""

    kind: Kind
    text: str


Statement = list[Token]


@dataclass(frozen=True, slots=True)
class DialectReading:
    """One dialect's reading. It is not whole if a quote or a comment stays open."""

    statements: list[Statement]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Dialect:
    """The differences of dialects. `starts` matches the start of a token that is not plain."""

    starts: re.Pattern[str]
    has_nested_comments: bool
    has_escapes: bool
    """True if a backslash in a text escapes the quote after it."""


_COMMON: Final = (
    r"|(?P<comment>/\*)"
    r"|(?P<odd>[nN]?[qQ]')"
    r"|(?P<quote>[EeNnBbXx]?'|[uU]&'|\"|`)"
    r"|(?P<command>\\[A-Za-z!?;][^\n]*)"
    r"|(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)"
    r"|(?P<word>[^\W\d][\w$]*|[@:$]+\w+)"
    r"|(?P<sign><=>|<>|<=|>=|!=|==|\|\||::|.)"
)


def _dialect(first: str, *, nested: bool, escapes: bool) -> _Dialect:
    """One alternative per first character, so that nothing is tried twice."""
    return _Dialect(re.compile(first + _COMMON, re.DOTALL), nested, escapes)


_DASHES: Final = r"(?P<blank>\s+|--[^\n]*)"
_POSTGRES: Final = _dialect(
    _DASHES + r"|(?P<dollar>\$(?:[A-Za-z_]\w*)?\$)", nested=True, escapes=False
)
_MYSQL: Final = _dialect(
    r"(?P<blank>\s+|--(?=[\s\x00-\x1f]|\Z)[^\n]*|\#[^\n]*)|(?P<code>/\*(?:!|M!)\d*|\*/)",
    nested=False,
    escapes=True,
)
_BRACKETS: Final = r"|(?P<bracket>\[)"
_SQLITE: Final = _dialect(_DASHES + _BRACKETS, nested=False, escapes=False)
_SERVER: Final = _dialect(_DASHES + _BRACKETS, nested=True, escapes=False)

# Signs that dialects read in different ways. `--` does if no blank follows.
_DISPUTED: Final = re.compile(r"[#\\\[$]|--\S|/\*[!M]")
_CLOSE: Final = re.compile(r"/\*|\*/")


def readings(text: str) -> list[DialectReading]:
    """The reading of the text in each dialect that may read it differently."""
    dialects = (_POSTGRES, _MYSQL, _SQLITE, _SERVER)
    return [_read(text, dialect) for dialect in dialects[: readings_count(text)]]


def readings_count(text: str) -> int:
    """One if dialects agree, else four."""
    is_agreed = _DISPUTED.search(text) is None and text.count("/*") < 2
    return 1 if is_agreed else 4


def _read(text: str, dialect: _Dialect) -> DialectReading:
    found: list[Statement] = [[]]
    position = 0
    while position < len(text):
        token = dialect.starts.match(text, position)
        assert token is not None, "the last alternative takes any character"
        kind, end = token.lastgroup, token.end()
        if kind == "comment":
            end = _end_of_comment(text, end, dialect)
        elif kind == "quote":
            end = _end_of_quote(text, token, dialect)
        elif kind == "bracket":
            end = text.find("]", end) + 1 or -1
        elif kind == "dollar":
            close = text.find(token[0], end)
            end = -1 if close < 0 else close + len(token[0])
        elif kind == "odd":
            raise Failure("SQL with a text in quotes of its own, as `q'[...]'` is")
        elif kind == "sign" and token[0] == "." and not found[-1]:
            # SQLite's shell: `.read file` is a whole line.
            end = _end_of_line(text, end)
        if end < 0:
            return DialectReading([statement for statement in found[:-1] if statement], False)
        _take(found, kind, text[position:end])
        position = end
    return DialectReading([statement for statement in found if statement], True)


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _end_of_comment(text: str, position: int, dialect: _Dialect) -> int:
    """The place after the comment's end; -1 if it stays open."""
    if not dialect.has_nested_comments:
        end = text.find("*/", position)
        return -1 if end < 0 else end + 2
    depth = 1
    for sign in _CLOSE.finditer(text, position):
        depth += 1 if sign[0] == "/*" else -1
        if depth == 0:
            return sign.end()
    return -1


def _end_of_quote(text: str, token: re.Match[str], dialect: _Dialect) -> int:
    """The place after the closing quote, which is not one of two; -1 if there is none."""
    sign = token[0][-1]
    has_escapes = (dialect.has_escapes and sign != "`") or token[0] in ("E'", "e'")
    position = token.end()
    while True:
        end = text.find(sign, position)
        if end < 0:
            return -1
        if has_escapes and _is_escaped(text, position, end):
            position = end + 1
        elif text.startswith(sign, end + 1):
            position = end + 2
        else:
            return end + 1


def _is_escaped(text: str, start: int, end: int) -> bool:
    """True if an odd number of backslashes precedes `end`."""
    first = end
    while first > start and text[first - 1] == "\\":
        first -= 1
    return (end - first) % 2 == 1


def _take(found: list[Statement], kind: str | None, written: str) -> None:
    """Adds the text read; blanks, comments and the signs of MySQL's code in comments are
    dropped.
    """
    match kind:
        case "quote" if written[-1] == "'":
            inner = written[written.index("'") + 1 : -1].replace("''", "'")
            found[-1].append(Token("text", inner))
        case "quote" | "bracket":
            found[-1].append(Token("name", written[1:-1]))
        case "dollar":
            found[-1].append(Token("text", written))
        case "command":
            found.extend(([Token("command", written)], []))
        case "number":
            found[-1].append(Token("number", written))
        case "word":
            found[-1].append(Token("word", written.upper()))
        case "sign" if written == ";":
            found.append([])
        case "sign" if written[0] == "." and not found[-1]:
            found.extend(([Token("command", written)], []))
        case "sign":
            found[-1].append(Token("sign", written))
        case _:
            pass
