"""CEL text -> tokens, each with its place in the file.

Follows the lexical grammar of CEL's specification. Unsigned ints and bytes are recognised so that
they can be refused by name; JSON events contain neither. Raises `SyntaxFault` at the first fault.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, cast

import msgspec

from ..model.errors import Place
from ..model.source_text import SourceText
from ..values.value import INT_MAX, INT_MIN
from .foreign_signs import foreign_character, foreign_operator

TokenKind = Literal["name", "quoted", "int", "double", "string", "sign", "end"]

# Source: CEL's specification, "Syntax": words that are tokens of their own, and reserved ones.
LITERAL_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
RESERVED: Final = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"}
    | {"package", "namespace", "return", "var", "void", "while"}
)

# The text is the user's own file and at most 10,000 characters; no pattern here backtracks.
_SKIPPED: Final = re.compile(r"(?:[ \t\r\n\f]+|//[^\n]*)+")
_NUMBER: Final = re.compile(
    r"(?P<hex>0[xX][0-9a-fA-F]+)|(?P<double>[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?"
    r"|[0-9]+[eE][+-]?[0-9]+)|(?P<int>[0-9]+)"
)
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED_WORD: Final = re.compile(r"`([A-Za-z0-9_./ -]+)`")
_STRING_START: Final = re.compile(r"([rRbB]{0,2})(\"\"\"|'''|\"|')")
_SIGN: Final = re.compile(r"&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]{}]")
_ESCAPE: Final = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\?\"'`])|[xX](?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})"
    r"|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2}))"
)
_SIMPLE_ESCAPES: Final = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))


class SyntaxFault(Exception):  # noqa: N818 - becomes a Fault, which is what users see
    """The text is not valid CEL; `offset` counts characters from its start."""

    def __init__(self, offset: int, message: str, mend: str = "", code: str = "E101") -> None:
        super().__init__(message)
        self.offset, self.message, self.mend, self.code = offset, message, mend, code


class Token(msgspec.Struct, frozen=True):
    """A word of the text, up to `end`; `value` is the value of a literal, else the text itself."""

    kind: TokenKind
    value: Any
    offset: int
    end: int


class Places:
    """Offsets in an expression -> places in the file."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._line_offsets = [0, *(found.end() for found in re.finditer("\n", source.text))]

    def at(self, offset: int) -> Place:
        """By the source's segments; without any, later lines are indented like the first."""
        if self._source.segments:
            return self._source.place_at(offset)
        index = sum(1 for begin in self._line_offsets if begin <= offset) - 1
        start = self._source.place
        return Place(start.line + index, offset - self._line_offsets[index] + start.column)


def tokens(source: str) -> list[Token]:
    """All tokens of `source`, closed by one of kind `end`; raises SyntaxFault."""
    found: list[Token] = []
    position = 0
    while True:
        skipped = _SKIPPED.match(source, position)
        position = skipped.end() if skipped else position
        if position == len(source):
            return [*found, Token("end", "", position, position)]
        token, position = _next(source, position)
        found.append(token)


def _next(source: str, position: int) -> tuple[Token, int]:
    if start := _STRING_START.match(source, position):
        return _string(source, start)
    for kind, pattern, group in (("name", _WORD, 0), ("quoted", _QUOTED_WORD, 1)):
        if word := pattern.match(source, position):
            return _token(cast(TokenKind, kind), word[group], word.span())
    if number := _NUMBER.match(source, position):
        return _number(source, number)
    foreign = foreign_operator(source, position)
    if foreign is None and (sign := _SIGN.match(source, position)):
        return _token("sign", sign[0], sign.span())
    sign_met, mend = foreign or foreign_character(source, position)
    raise SyntaxFault(position, f"`{sign_met}` is not valid CEL here", mend)


def _token(kind: TokenKind, value: Any, span: tuple[int, int]) -> tuple[Token, int]:
    return Token(kind, value, *span), span[1]


def _number(source: str, number: re.Match[str]) -> tuple[Token, int]:
    start, end = number.span()
    if number.lastgroup == "double":
        value = float(number[0])
        if value in (float("inf"), float("-inf")):
            raise SyntaxFault(
                start, f"`{number[0]}` is larger than any double", "write a number below 1.8e308"
            )
        return _token("double", value, (start, end))
    if source[end : end + 1] in ("u", "U"):
        raise SyntaxFault(
            start, "unsigned ints are not supported, and events contain none", "drop the `u`"
        )
    return _token("int", int(number[0], 16 if number.lastgroup == "hex" else 10), (start, end))


def checked_int(value: int, offset: int) -> int:
    """`value` if it is an int64; raises SyntaxFault otherwise."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise SyntaxFault(offset, f"`{value}` is beyond int64", f"write a double, `{value}.0`")


def _string(source: str, start: re.Match[str]) -> tuple[Token, int]:
    prefix, quotes = start[1].lower(), start[2]
    if "b" in prefix:
        raise SyntaxFault(
            start.start(), "bytes are not supported, and events contain none", "drop the `b`"
        )
    if prefix == "rr":
        raise SyntaxFault(start.start(), "`rr` is not a prefix of a text", "write `r`")
    parts: list[str] = []
    position = start.end()
    while not source.startswith(quotes, position):
        piece, position = _character(source, position, start, is_raw=prefix == "r")
        parts.append(piece)
    return _token("string", "".join(parts), (start.start(), position + len(quotes)))


def _character(source: str, at: int, start: re.Match[str], *, is_raw: bool) -> tuple[str, int]:
    if at >= len(source) or (source[at] in "\r\n" and len(start[2]) == 1):
        raise SyntaxFault(
            start.start(), f"this text is not closed by `{start[2]}`", _unclosed(start[2])
        )
    if source[at] != "\\" or is_raw:
        if "\ud800" <= source[at] <= "\udfff":
            raise SyntaxFault(
                at, "half of a surrogate pair is not a character", "write the whole character"
            )
        return source[at], at + 1
    escape = _ESCAPE.match(source, at)
    if escape is None:
        raise SyntaxFault(
            at,
            f"`{source[at : at + 2]}` is not an escape of CEL",
            'write `\\\\` for a backslash, or a raw string r"..."',
        )
    return _escaped(escape), escape.end()


def _unclosed(quotes: str) -> str:
    if len(quotes) > 1:
        return f"close it with `{quotes}`"
    other = "'" if quotes == '"' else '"'
    return f"close it with `{quotes}`, and quote a text that contains `{quotes}` with `{other}`"


def _escaped(escape: re.Match[str]) -> str:
    if escape["simple"]:
        return _SIMPLE_ESCAPES[escape["simple"]]
    code = int(escape["octal"], 8) if escape["octal"] else int(escape[escape.lastgroup or 0], 16)
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        raise SyntaxFault(
            escape.start(),
            f"`{escape[0]}` is not a Unicode character",
            "write the character itself, or a code up to 10FFFF and not of D800 to DFFF",
        )
    return chr(code)
