"""Splits formula text into tokens, with a hint for every sign of another language.

Input: the text of one formula. Output: tokens with their offsets; the last one is the end. The
grammar is in `parser.py`. A fault contains the offset, and `parser.py` converts it to a place.
"""

from __future__ import annotations

import json
import re
from typing import Final, Literal

import msgspec

from .ast import UNARY_OPERATORS
from .durations import meant_duration

TEXT_CHARACTERS_MAX: Final = 10_000  # Chosen: far more than a person can check by reading.
NUMBER_CHARACTERS_MAX: Final = 40  # Chosen: more digits than a double or an int64 can distinguish.
NUMBER_MAX: Final = 2**63  # Numbers of events are int64 or double; see docs/language.md.
SHOWN_CHARACTERS_MAX: Final = 40

OPERATOR_WORDS: Final = frozenset(
    {"not", "and", "or", "implies", "iff", "since", "until", "exists", "session_end"}
).union(UNARY_OPERATORS)
AGGREGATE_WORDS: Final = frozenset({"count", "sum", "min", "max", "avg", "distinct", "first"})
RESERVED_WORDS: Final = OPERATOR_WORDS | AGGREGATE_WORDS | {"true", "false"}

TokenSort = Literal["name", "word", "string", "number", "duration", "sign", "end"]


class Token(msgspec.Struct, frozen=True):
    """A piece of formula text: its sort, its text, and its start (from 0)."""

    sort: TokenSort
    text: str
    offset: int

    @property
    def end(self) -> int:
        """The offset just after the token."""
        return self.offset + len(self.text)


class FormulaFault(Exception):  # noqa: N818  (never seen outside: it is on its way to a place)
    """A fault at an offset of the text; the parser turns it into a `SpecError` with a place."""

    def __init__(self, offset: int, code: str, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.code = code
        self.message = message
        self.mend = mend


def split_tokens(text: str) -> list[Token]:
    """All tokens of the text and an `end`; raises `FormulaFault` (E302, E306, E308)."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise FormulaFault(
            0,
            "E306",
            f"this formula has {len(text)} characters; the maximum is {TEXT_CHARACTERS_MAX}",
            "name parts of it as predicates, or split the invariant",
        )
    tokens = []
    offset = _skip_space(text, 0)
    while offset < len(text):
        token = _next_token(text, offset)
        tokens.append(token)
        offset = _skip_space(text, token.end)
    tokens.append(Token("end", "", len(text)))
    return tokens


def show_text(text: str) -> str:
    """The text in backticks, on one line, truncated if it is long."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    if len(text) > SHOWN_CHARACTERS_MAX:
        text = text[:SHOWN_CHARACTERS_MAX] + "..."
    return f"`{text}`"


_SPACE = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A number includes the letters, points and dashes after it, so that `10min`, `1e3` and `1.2.3` are
# one invalid token with a clear message, not two valid ones with an unclear message.
_NUMBER_LIKE = re.compile(r"-?[0-9](?:[A-Za-z0-9_.]|(?<=[eE])[+-])*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DURATION = re.compile(r"(?:0|[1-9][0-9]*)(?:ms|s|m|h|d)")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_STARTS_FORMULA = re.compile(r"(?:\A|[(>]|\[\]|\b(?:not|and|or|implies|iff))\s*\Z")
_MENDS_BY_PLACE = (
    (re.compile(r"=\s*\0[*?]"), "write `_`, which means any value"),
    (re.compile(r"count\(\s*\0\*"), "name the counted predicate: `count(p)[10m] <= 3`"),
    (re.compile(r"\bexists\s+\w+\s*\0:"), "write `exists x (...)`"),
    (re.compile(r"\0(?://|/\*|--)"), "write comments outside the formula"),
    (re.compile(r"\0\^"), "write `and`, or `not (p iff q)` for exclusive or"),
    (re.compile(r"\0[$@`]"), "remove it"),
)
"""Corrections for a character (after the NUL) that depend on the text around it."""
_SIGNS = ("==", "!=", "<=", ">=", "(", ")", "[", "]", ",", ".", "=", "<", ">")
_FOREIGN_SIGNS = (
    ("&&", "and"),
    ("||", "or"),
    ("/\\", "and"),
    ("\\/", "or"),
    ("==>", "implies"),
    ("-->", "implies"),
    ("<==>", "iff"),
    ("<-->", "iff"),
    ("<->", "iff"),
    ("<=>", "iff"),
    ("->", "implies"),
    ("=>", "implies"),
    ("===", "=="),
    ("!==", "!="),
    ("=<", "<="),
    ("<>", "!="),
    ("¬", "not"),
    ("∧", "and"),
    ("∨", "or"),
    ("→", "implies"),
    ("↔", "iff"),
    ("≤", "<="),
    ("≥", ">="),
    ("≠", "!="),
    ("□", "always"),
    ("◇", "eventually"),
    ("◯", "next"),
    ("∃", "exists x (...)"),
    ("&", "and"),
    ("|", "or"),
    ("~", "not"),
)


def _skip_space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    assert match is not None
    return match.end()


def _next_token(text: str, offset: int) -> Token:
    foreign = _foreign_sign(text, offset)
    if foreign is not None:
        raise foreign
    if match := _NAME.match(text, offset):
        name = match.group()
        return Token("word" if name in RESERVED_WORDS else "name", name, offset)
    if match := _NUMBER_LIKE.match(text, offset):
        return _number_token(match.group(), offset)
    if text[offset] == '"':
        return _string_token(text, offset)
    for sign in _SIGNS:
        if text.startswith(sign, offset):
            return Token("sign", sign, offset)
    raise _foreign_character(text, offset)


def _foreign_sign(text: str, offset: int) -> FormulaFault | None:
    for sign, ours in _FOREIGN_SIGNS:
        if text.startswith(sign, offset):
            message = f"{show_text(sign)} is not an operator of formulas"
            meant = _meant_by_place(sign, text, offset) or ours
            return FormulaFault(offset, "E302", message, f"write `{meant}`")
    if text[offset] == "!" and not text.startswith("!=", offset):
        return FormulaFault(offset, "E302", "`!` is not an operator of formulas", "write `not`")
    return None


def _meant_by_place(sign: str, text: str, offset: int) -> str:
    """Signs that mean two things: `=>` before a number compares, `<>` before a formula is LTL's."""
    if sign == "=>" and re.match(r"=>\s*-?[0-9]", text[offset:]):
        return ">="
    if sign == "<>" and _STARTS_FORMULA.search(text, 0, offset):
        return "eventually"
    return ""


def _foreign_character(text: str, offset: int) -> FormulaFault:
    character = text[offset]
    message = f"{show_text(character)} is not valid in a formula"
    mends = {
        "'": 'write text in double quotes: `"..."`',
        "‘": 'write text in straight double quotes: `"..."`',
        "“": 'write text in straight double quotes: `"..."`',
        "-": "`-` is allowed only before a number; in names write `_`",
        "+": "formulas have no arithmetic; compute the value in the predicate's `with`",
        "*": "formulas have no arithmetic; compute the value in the predicate's `with`",
        "/": "formulas have no arithmetic; compute the value in the predicate's `with`",
        ":": "a window is written `[5s, 10m]`, an argument `p(name=x)`",
        "?": "formulas have no ternary; write `(a and b) or ((not a) and c)`",
        ";": "a formula is one expression; join the parts with `and`",
        "{": "a formula has only `( )` and `[ ]`",
        "}": "a formula has only `( )` and `[ ]`",
        "#": "write comments outside the formula",
    }
    default = 'names have ASCII letters, digits and `_`; write other text in `"..."`'
    for pattern, mend in _MENDS_BY_PLACE:
        if pattern.search(text[:offset] + "\0" + text[offset:]):
            return FormulaFault(offset, "E302", message, mend)
    return FormulaFault(offset, "E302", message, mends.get(character, default))


def _number_token(text: str, offset: int) -> Token:
    if _DURATION.fullmatch(text):
        return Token("duration", text, offset)
    if not _NUMBER.fullmatch(text):
        message = f"{show_text(text)} is neither a number nor a duration"
        raise FormulaFault(offset, "E308", message, _mend_number(text))
    # The length is tested first: Python refuses to convert thousands of digits.
    is_long = len(text) > NUMBER_CHARACTERS_MAX
    if is_long or abs(float(text) if "." in text else int(text)) >= NUMBER_MAX:
        message = f"the number {show_text(text)} is too large or too long"
        mend = f"numbers are below 2^63 and have at most {NUMBER_CHARACTERS_MAX} characters"
        raise FormulaFault(offset, "E308", message, mend)
    return Token("number", text, offset)


def _mend_number(text: str) -> str:
    if re.fullmatch(r"-[0-9]+(?:ms|s|m|h|d)", text):
        return "a duration is never negative: the operator gives the direction of its window"
    if re.fullmatch(r"-?[0-9.]+[eE][+-]?[0-9]+", text):
        return "write the number out, without an exponent"
    if re.fullmatch(r"-?0[0-9]+(?:\.[0-9]+)?", text):
        return "write it without the leading zero"
    if re.fullmatch(r"-?[0-9]+(?:_[0-9]+)+", text):
        return "write it without `_`"
    if meant := meant_duration(text):
        return f"write `{meant}`"
    return "a number is `12` or `-1.5`, a duration `10m` (units `ms`, `s`, `m`, `h`, `d`)"


def _string_token(text: str, offset: int) -> Token:
    match = _STRING.match(text, offset)
    if match is None:
        message = "this text is not closed, or contains a line break or a control character"
        raise FormulaFault(offset, "E308", message, 'close it with `"`, write `\\n` for a break')
    return Token("string", match.group(), offset)
