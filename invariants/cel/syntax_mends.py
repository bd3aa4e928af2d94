"""Corrections for expressions that do not parse: words of SQL, Python, JavaScript and formulas.

Input: the tokens of an expression and the index of the first that does not fit. Output: the words
met there, and a correction as text. Nothing here decides if a text is valid.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from .foreign_signs import CHOICE, IMPLIES
from .functions import FIELD_TYPES, FUNCTIONS

if TYPE_CHECKING:
    from .lexer import Token

_SHOWN_MAX: Final = 60
"""Chosen: characters of a text that a message quotes."""

_ONE_EVENT: Final = "a predicate is about one event; formulas join events, as in `p and once q`"
_TYPE: Final = 'test the value itself, as in `args.x == ""`'
_HAS: Final = "test a key with `has(args.x)`, and a field with `present(agent)`"
_HAS_NOT: Final = "test a key with `!has(args.x)`, and a field with `!present(agent)`"
_EACH: Final = "write `args.list.exists(x, ...)`"
_BARE: Final = 'write only the condition, as in `tool == "pay"`'
INNER_CHOICE: Final = "put the inner choice into brackets"
_NOT: Final = r"(?:(?:does\s+)?not|doesn't)\s+"
_PHRASES: Final = (
    (r"(?:is\s+)?not\s+in|!\s*in", 'write `!(tool in ["a", "b"])`'),
    (r"is\s+not\s+empty", 'write `!= ""`'),
    (r"is\s+empty", 'write `== ""`'),
    (r"is\s+not\s+(?:present|defined|set|given)|not\s+exists", _HAS_NOT),
    (r"is\s+(?:missing|absent|undefined|unset)", _HAS_NOT),
    (r"is\s+(?:present|defined|set|given)|exists", _HAS),
    (r"is\s+(?:not\s+)?(?:an?|of\s+type)|isinstance|instanceof", _TYPE),
    (r"(?:is\s+)?(?:greater|more|larger)\s+than\s+or\s+equal(?:\s+to)?", "write `>=`"),
    (r"(?:is\s+)?(?:less|fewer|smaller)\s+than\s+or\s+equal(?:\s+to)?", "write `<=`"),
    (r"(?:is\s+)?at\s+least|gte|ge", "write `>=`"),
    (r"(?:is\s+)?at\s+most|lte|le", "write `<=`"),
    (r"(?:is\s+)?(?:greater|more|larger)\s+than|gt", "write `>`"),
    (r"(?:is\s+)?(?:less|fewer|smaller)\s+than|lt", "write `<`"),
    (rf"is\s+not(?:\s+equal(?:\s+to)?)?|{_NOT}equals?|neq?|isnt", "write `!=`"),
    (r"(?:is\s+)?(?:either|one\s+of|any\s+of)", "write `in`, with the values as a list"),
    (r"is\s+in", "write `in`"),
    (r"is\s+equal(?:\s+to)?|equals?(?:\s+to)?|eq|is", "write `==`"),
    (rf"{_NOT}(?:like|ilike|similar\s+to)", 'write `!glob("pay*", tool)`: `*` is any text'),
    (r"like|ilike|similar\s+to", 'write `glob("pay*", tool)`: `*` is any text'),
    (rf"{_NOT}(?:match|matches|regexp|rlike)", 'write `!tool.matches("^pay")`'),
    (r"match|matches|regexp?|rlike", 'write `tool.matches("^pay")`'),
    (rf"{_NOT}(?:contains?|includes?)", 'write `!text.contains("a")`'),
    (r"contains?|includes?", 'write `text.contains("a")`'),
    (rf"{_NOT}(?:starts?|begins?)[\s_]*with", 'write `!tool.startsWith("a")`'),
    (r"(?:starts?|begins?)[\s_]*with", 'write `tool.startsWith("a")`'),
    (rf"{_NOT}ends?[\s_]*with", 'write `!tool.endsWith("a")`'),
    (r"ends?[\s_]*with", 'write `tool.endsWith("a")`'),
    (r"between", "write `args.n >= 1 && args.n <= 3`"),
    (r"not", "write `!=`, or `!` before a condition in brackets"),
    (r"and", "write `&&`"),
    (r"or", "write `||`"),
    (r"xor", "`a xor b` is `(a) != (b)`"),
    (r"iff", "`a iff b` is `(a) == (b)`"),
    (r"implies|then", IMPLIES),
    (r"unless", "`a unless b` is `a && !(b)`"),
    (r"where|when|having", "join conditions with `&&`"),
    (r"if|else", CHOICE),
    (r"for", _EACH),
    (r"mod", "write `%`"),
    (r"since|until|after|before|within|once|previously|eventually|U|S|W|R", _ONE_EVENT),
)
"""Words after a whole expression; the longest phrase of those that begin alike comes first.

They are compiled when a fault is met: together they take as long as the rest of this package.
"""
_LEADING: Final = {
    "not": "write `!`, and brackets around the negated condition: `!(a)`",
    "lambda": "a macro is written `args.list.exists(x, x == 1)`",
    **dict.fromkeys(("def", "select", "where", "when", "assert"), _BARE),
    "case": CHOICE,
    **dict.fromkeys(
        ("always", "never", "once", "historically", "previous", "eventually", "next", "count"),
        _ONE_EVENT,
    ),
}
_LETTERS: Final = frozenset("FGHOPXYZ")
"""Temporal operators of LTL tools."""
_RESERVED: Final = {
    **dict.fromkeys(("if", "else"), CHOICE),
    **dict.fromkeys(("for", "while", "loop"), _EACH),
    **dict.fromkeys(("function", "return", "var", "let", "const", "import"), _BARE),
}
_AFTER_KEY: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "&&", "||", ".", "["})
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_OPENING: Final = {"(": ")", "[": "]", "{": "}"}
_OPERATORS: Final = "operators are `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `&&` and `||`"
MAP: Final = 'a map is written `{"a": 1}`, and a list `["a", "b"]`'
_LIST: Final = 'a list is written in square brackets: `["a", "b"]`'


class Met(NamedTuple):
    """The words that were met, as they are written, and their correction."""

    words: str
    mend: str


def shown(source: str, token: Token) -> str:
    """A token as it is written in the source, shortened."""
    text = source[token.offset : token.end]
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def met_behind(source: str, tokens: Sequence[Token], index: int, closing: str) -> Met:
    """The token after a whole expression; `closing` is the bracket that it is in, or empty."""
    token, before = tokens[index], tokens[index - 1]
    if token.kind == "end":
        return Met("", f"close it with `{closing}`")
    if mend := _beside(source, tokens, index):
        return Met(shown(source, token), mend)
    if token.kind == "name" or token.value == "!":
        for words, mend in _PHRASES:
            phrase = re.compile(rf"(?:{words})(?![A-Za-z0-9_])", re.IGNORECASE)
            if met := phrase.match(source, token.offset):
                return Met(met[0], mend)
    if token.kind == "sign" and token.value in _CLOSING:
        opening = _CLOSING[token.value]
        mend = f"close it with `{closing}`" if closing else "drop it"
        return Met(str(token.value), f"{mend}, or add the missing `{opening}`")
    if token.kind == "sign" and token.value == ",":
        return Met(",", _comma(tokens, index))
    if closing == "]" and token.kind in ("string", "int", "double", "quoted"):
        return Met(shown(source, token), "separate elements with `,`")
    if token.kind == "sign" and token.value == ":" and closing == ")":
        return Met(":", "separate arguments with `,`")
    is_known = token.kind != "name" or token.value in FIELD_TYPES or token.value in FUNCTIONS
    if not is_known or token.kind == "sign":
        return Met(shown(source, token), _OPERATORS)
    separator = "`,`, " if closing and before.kind != "name" else ""
    return Met(shown(source, token), f"join the two with {separator}`&&` or `||`")


def _comma(tokens: Sequence[Token], index: int) -> str:
    """A comma is meant as `&&`, or separates the values of a list without brackets."""
    before = index - 1
    while before > 0 and tokens[before].kind in ("string", "int", "double"):
        before -= 1
    if tokens[before].value == "(":
        before -= 1
        if tokens[before].value == "(":
            return "write a call for each value, joined with `||`"
    if tokens[before].kind == "name" and tokens[before].value == "in":
        return _LIST
    if tokens[index - 1].kind == tokens[index + 1].kind == "int":
        return "write a number without `,`, and join two conditions with `&&`"
    return "join two conditions with `&&`"


def _beside(source: str, tokens: Sequence[Token], index: int) -> str:
    """A correction that depends on the token before, or an empty text."""
    token, before = tokens[index], tokens[index - 1]
    is_beside = before.end == token.offset
    if token.kind == "string" and before.kind == "name":
        if is_beside and len(before.value) <= 2:
            return f"drop the `{before.value}`"
        if before.value in FUNCTIONS:
            return f"its argument is written in brackets: `.{before.value}(...)`"
    if token.kind == "double" and is_beside:
        return 'an element is written `[0]`, and a key `["0"]`'
    if token.kind == "name" and before.kind == "string" and is_beside:
        quote = source[before.end - 1]
        return f"write `\\{quote}` for a quote within a text"
    if token.kind == "name" and before.kind in ("int", "double"):
        return _unit(str(token.value), is_beside=is_beside)
    return ""


def _unit(word: str, *, is_beside: bool) -> str:
    if re.fullmatch(r"(ms|s|m|h|d|w)|(milli)?seconds?|minutes?|hours?|days?|weeks?", word):
        return 'a duration is written `duration("10m")`, with `s`, `m` or `h`'
    return "write the number in decimal digits, such as `10000`" if is_beside else ""


def mend_of_missing_value(tokens: Sequence[Token], index: int) -> str:
    """Where a value is expected, and there is none."""
    token, before = tokens[index], tokens[index - 1] if index else None
    if token.kind == "quoted":
        return "drop the backticks"
    if token.kind == "end":
        if before is None:
            return _BARE
        is_joined = before.value in ("&&", "||", ",", "+", "-", "*", "/", "%")
        return f"write a value after `{before.value}`" + (", or drop it" if is_joined else "")
    is_index = index > 1 and tokens[index - 1].value == "[" and tokens[index - 2].kind == "name"
    if is_index and token.value in ("*", "]"):
        return _EACH
    if token.value == "/":
        return 'a pattern is written as text: `tool.matches("^pay")`'
    if before is not None and _OPENING.get(str(before.value)) == token.value:
        return "write a condition within the brackets, or drop them"
    return f"write a value before `{token.value}`, or drop it"


def mend_of_leading(word: str, following: Token) -> str:
    """A word of another language before an expression, or an empty text."""
    starts_value = following.kind in ("int", "double", "string", "quoted") or (
        following.kind == "sign" and following.value in ("!", "[", "{")
    )
    is_word = following.kind == "name" and following.value != "in"
    if not starts_value and not is_word:
        return ""
    return _ONE_EVENT if word in _LETTERS else _LEADING.get(word.lower(), "")


def mend_of_reserved(word: str, following: Token) -> str:
    """For a word that CEL reserves; before an operator or the end it is meant as a key."""
    is_key = following.kind == "end" or following.value in _AFTER_KEY
    return f"a key of this name is `args.{word}`" if is_key else _RESERVED.get(word, _BARE)


def mend_of_key(token: Token) -> str:
    """For a token after `.` that is not a name."""
    if token.kind in ("end", "sign"):
        return "write a name after it, or drop it"
    return f'write `["{token.value}"]` in place of `.{token.value}`'


def mend_of_choice(source: str, offset: int) -> str:
    """For a `?` without its `:` at the end of an expression."""
    if re.search(r"\?\.\s*[A-Za-z_]", source[:offset]):
        return "write `.` for `?.`; test an optional key with `has(args.x)`"
    return CHOICE
