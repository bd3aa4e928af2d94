"""SQL text -> statements, each a list of tokens: comments gone, quoted texts whole.

Dialects disagree about some signs. Where two common readers would see two different statements
(a backslash before a quote, a comment within a comment), nothing is read: Failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ..values import Failure

Kind = Literal["word", "text", "name", "number", "sign", "command"]


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is in upper case for a word; without its quotes for a text or a quoted name."""

    kind: Kind
    text: str


Statement = list[Token]

# One alternative per first character, so that nothing is tried twice: linear in the text.
_TOKEN: Final = re.compile(
    r"(?P<blank>\s+|--[^\n]*|\#[^\n]*)"
    r"|(?P<code>/\*[!M]!?\d*|\*/)"
    r"|(?P<comment>/\*)"
    r"|(?P<dollar>\$(?:[A-Za-z_]\w*)?\$)"
    r"|(?P<text>[EeNnBbXx]?'(?:[^']|'')*')"
    r"|(?P<double>\"(?:[^\"]|\"\")*\")"
    r"|(?P<tick>`(?:[^`]|``)*`)"
    r"|(?P<command>\\[A-Za-z!?;]+[^\n]*)"
    r"|(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
    r"|(?P<word>[^\W\d]\w*|[@:$]+\w+)"
    r"|(?P<sign><=>|<>|<=|>=|!=|==|\|\||::|.)",
    re.DOTALL,
)


def statements(text: str) -> list[Statement]:
    """The statements of `text`, empty ones left out."""
    found: list[Statement] = [[]]
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        assert token is not None, "the last alternative takes any character"
        position = token.end()
        kind = token.lastgroup
        if kind == "comment":
            position = _end_of_comment(text, position)
        elif kind == "dollar":
            end = text.find(token[0], position)
            if end < 0:
                raise Failure("SQL with an open `$`-quote")
            found[-1].append(Token("text", text[position:end]))
            position = end + len(token[0])
        elif kind not in ("blank", "code"):
            _take(found, str(kind), token[0])
    return [statement for statement in found if statement]


def _end_of_comment(text: str, position: int) -> int:
    end = text.find("*/", position)
    if end < 0:
        raise Failure("SQL with an open comment")
    if "/*" in text[position:end]:
        raise Failure("SQL with a comment in a comment, which dialects read in two ways")
    return end + 2


def _take(found: list[Statement], kind: str, written: str) -> None:
    if written == ";":
        found.append([])
    elif kind == "text":
        if "\\" in written:
            raise Failure("SQL with a backslash in a text, which dialects read in two ways")
        found[-1].append(Token("text", written[written.index("'") + 1 : -1].replace("''", "'")))
    elif kind in ("double", "tick"):
        if "\\" in written and kind == "double":
            raise Failure("SQL with a backslash in a text, which dialects read in two ways")
        found[-1].append(Token("name", written[1:-1]))
    elif kind == "command":
        found.append([Token("command", written)])
        found.append([])
    elif kind == "number":
        found[-1].append(Token("number", written))
    elif kind == "word":
        found[-1].append(Token("word", written.upper()))
    elif written in "'\"`":
        raise Failure("SQL with an open quote")
    else:
        found[-1].append(Token("sign", written))
