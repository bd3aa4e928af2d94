"""Corrections for words and signs of English, LTL tools and other languages in a formula.

Input: the words around a point at which no formula can be read. Output: a correction as text, or an
empty text. The corrections of `MEANT_JOINS` may apply under `never` or `always`.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final

from ..model.nearest import nearest
from .ast import UNARY_OPERATORS
from .tokens import AGGREGATE_WORDS, Token

JOINS: Final = ("iff", "implies", "or", "and", "since", "until")
UNARY: Final = ("not", *UNARY_OPERATORS, "exists")
LETTERS: Final = {
    "G": "always",
    "F": "eventually",
    "X": "next",
    "H": "historically",
    "O": "once",
    "P": "once",
    "Y": "previous",
}
"""Temporal operators of LTL tools with one operand."""
WINDOW: Final = "a window follows its operator: `once[10m] p`, `count(p)[10m] <= 3`"
COUNTED: Final = "events are counted as in `count(p)[10m] <= 3`"
TWO_COMPARISONS: Final = "join two comparisons with `and`: `count(p) > 1 and count(p) < 5`"
_IMPLIES: Final = "write `always: p implies q`, or to forbid it `never: q and once p`"
_IF: Final = "write `always: q implies p`, or to forbid it `never: p and q`"
_EARLIER: Final = "write `once q`, or `previous q` for the event just before"
MEANT_JOINS: Final = {
    "in": 'formulas have no `in`: test it in a predicate, `p: tool in ["a", "b"]`',
    **dict.fromkeys(("within", "for", "during"), WINDOW),
    "xor": "write `not (p iff q)`",
    "nor": "write `not (p or q)`",
    "nand": "write `not (p and q)`",
    "but": "write `and`",
    "andnot": "write `and not`",
    "ornot": "write `or not`",
    "without": "write `and not`",
    "then": _IMPLIES,
    **dict.fromkeys(("if", "when", "whenever"), _IF),
    "unless": "write `always: p or q`, or to forbid it `never: p and not q`",
    "before": "`p before q` is `q and once p`",
    "followed": "`p followed by q` is `q and once p`",
    "precedes": "`p precedes q` is `q and once p`",
    "after": "`p after q` is `p and once q`",
    "preceded": "`p preceded by q` is `p and once q`",
    "between": TWO_COMPARISONS,
    **dict.fromkeys(("more", "less", "fewer", "at", "exactly", "times"), COUNTED),
}
"""A word between two formulas that is not an operator."""
_MEANT_LETTER_JOINS: Final = {
    "U": "write `until`",
    "S": "write `since`",
    "W": "`p W q` is `always: p or once q`",
}
_MEANT_OPERATORS: Final = {
    **dict.fromkeys(("if", "when", "whenever"), _IMPLIES),
    "never": "in a formula, `never q` is `not once q`",
    "ever": "write `once q`",
    "last": "write `previous q`",
    "before": "write `once q`",
    "no": "write `not q`",
    **dict.fromkeys(("previously", "earlier", "past", "been"), _EARLIER),
    **dict.fromkeys(
        ("forall", "all", "every", "each"), "a variable means every value: `p(name=x)`"
    ),
}
"""A name before a formula that is not an operator."""
_MEANT_AGGREGATES: Final = {
    **dict.fromkeys(("mean", "average"), "avg"),
    **dict.fromkeys(("total", "add"), "sum"),
    **dict.fromkeys(("maximum", "max_value"), "max"),
    **dict.fromkeys(("minimum", "min_value"), "min"),
    **dict.fromkeys(("rate", "size", "len", "length", "number"), "count"),
}
_ALIKE_MIN: Final = 0.75
"""Chosen: `imply` is close to `implies`, and `more` is not close to `or`."""


def meant_by_names(before: str, word: str, following: Token) -> str:
    """For a name `word` after a formula that ends with `before`."""
    if word == "in" and following.sort == "duration":
        return WINDOW
    if word == "been":
        return _EARLIER
    if mend := MEANT_JOINS.get(word.lower()) or _MEANT_LETTER_JOINS.get(word):
        return mend
    if mend := _MEANT_OPERATORS.get(before.lower()):
        return mend
    if near := _near_join(word):
        return f"write `{near}`"
    if before in LETTERS:
        return f"write `{LETTERS[before]}` for `{before}`, or join the two with `and`"
    near = nearest(before, UNARY)
    return f"write `{near}` for `{before}`, or join the two with `and`" if near else ""


def _near_join(word: str) -> str:
    """The connective of which `word` is a slip: transposed letters, or nearly the same text."""
    lowered = word.lower()
    for join in JOINS:
        is_transposed = len(word) > 1 and sorted(lowered) == sorted(join)
        if is_transposed or SequenceMatcher(None, lowered, join).ratio() >= _ALIKE_MIN:
            return join
    return ""


def meant_by_call(name: str) -> str:
    """The operator that a name with brackets may mean: `G(p)`, `COUNT(p)`."""
    if name.lower() in (*AGGREGATE_WORDS, *UNARY):
        return f", or `{name.lower()}` in lower case"
    if meant := LETTERS.get(name) or _MEANT_AGGREGATES.get(name.lower()):
        return f", or `{meant}` if that is meant"
    return ""
