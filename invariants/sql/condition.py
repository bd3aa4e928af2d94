"""Tests if a condition is true of every row, whatever the rows contain.

    id = 7                    of some
    1 = 1, id = id, x OR 1    of all
    id > 0, length('a') = 1   may be of all

The result is the set of possible answers. Rows are assumed to differ, and to contain no nulls: `id
= id` is true of all. An expression without columns that is not evaluated here may have any value.
Linear in the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from ..values.tables import table
from ..values.value import Failure
from .tokens import Token

Share = Literal["all", "some", "none"]
Shares = frozenset[Share]

DEPTH_MAX: Final = 30  # Chosen: brackets within brackets; keeps recursion bounded.

ALL: Final[Shares] = frozenset({"all"})
SOME: Final[Shares] = frozenset({"some"})
NONE: Final[Shares] = frozenset({"none"})
UNSURE: Final[Shares] = frozenset({"all", "some", "none"})

_CALCULATED: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "<=>": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
_EQUAL: Final = frozenset({"=", "==", "<=>", "<=", ">="})
_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_OPPOSITE: Final = {"=": "<>", "==": "<>", "<>": "=", "!=": "=", "<": ">=", ">=": "<", ">": "<="}
_OPPOSITE["<="] = ">"
_MATCHING: Final = table("LIKE ILIKE GLOB REGEXP RLIKE MATCH SIMILAR")
_TESTING: Final = table("IS IN BETWEEN ISNULL NOTNULL") | _MATCHING
# Words that are not columns, although no bracket follows.
_CONSTANTS: Final = table(
    "TRUE FALSE NULL UNKNOWN CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER USER "
    "LOCALTIME LOCALTIMESTAMP SESSION_USER INTERVAL BINARY DISTINCT ALL ANY NOT AND OR XOR ESCAPE "
    "IS IN BETWEEN LIKE DIV MOD TO"
)
_BEFORE_TYPE: Final = frozenset({"::", "AS", "COLLATE"})
_NULL: Final = Token("word", "NULL")
_LOWEST: Final = frozenset({"0", "1", ""})
"""Limits below which ordinary keys and names do not lie; with a minus too."""


class Condition:
    """One condition; `targets` are the names of the tables whose rows it chooses."""

    def __init__(self, tokens: Sequence[Token], targets: frozenset[str]) -> None:
        self._tokens, self._targets = tokens, targets
        self._closing = _closing(tokens)

    def shares(self) -> Shares:
        """The rows of which it may be true; raises Failure if it is nested too deep."""
        return self._any(0, len(self._tokens), 0)

    def _any(self, start: int, end: int, depth: int) -> Shares:
        if depth > DEPTH_MAX:
            raise Failure("SQL with a condition that is nested too deep")
        if any(self._is_word(index, "XOR") for index in self._top(start, end)):
            return UNSURE
        parts = self._split(start, end, "OR", "||")
        found = NONE
        for first, last in parts:
            found = _either(found, self._every(first, last, depth))
        if found != ALL and self._has_opposites(parts):
            return ALL
        return found

    def _every(self, start: int, end: int, depth: int) -> Shares:
        found = ALL
        for first, last in self._split(start, end, "AND", "&&"):
            found = _both(found, self._one(first, last, depth))
        return found

    def _one(self, start: int, end: int, depth: int) -> Shares:
        negations = 0
        while start < end and (self._is_word(start, "NOT") or self._is_sign(start, "!")):
            start, negations = start + 1, negations + 1
        if start < end and self._closing.get(start) == end - 1 and not self._is_query(start):
            found = self._any(start + 1, end - 1, depth + 1)
        else:
            found = self._plain(start, end)
        return _negated(found) if negations % 2 else found

    def _plain(self, start: int, end: int) -> Shares:
        """A part without `AND`, `OR` or leading `NOT`."""
        if start == end:
            return UNSURE
        for index in self._top(start, end):
            token = self._tokens[index]
            if token.kind == "word" and token.text in _TESTING:
                return self._tested(start, index, end)
            if token.kind == "word" and token.text in ("CASE", "SOUNDS"):
                return UNSURE
            if token.kind == "sign" and token.text in _CALCULATED:
                return self._compared(start, index, end)
        if self._is_word(start, "EXISTS"):
            return self._chosen(start + 1, end)
        return self._bare(start, end)

    def _bare(self, start: int, end: int) -> Shares:
        """A value that is taken for a truth value."""
        token = self._tokens[start]
        if end - start > 1:
            is_call = self._closing.get(start + 1) == end - 1
            is_call = is_call or (end - start == 3 and self._is_sign(start + 1, "."))
            return SOME if is_call and self._has_column(start, end) else UNSURE
        if token.kind == "number":
            return ALL if float(token.text) else NONE
        if token.text in ("TRUE", "FALSE") and token.kind == "word":
            return ALL if token.text == "TRUE" else NONE
        return SOME if self._has_column(start, end) else UNSURE

    def _compared(self, start: int, sign_at: int, end: int) -> Shares:
        sign = self._tokens[sign_at].text
        left, right = self._side(start, sign_at), self._side(sign_at + 1, end)
        if not left or not right:
            return UNSURE
        if self._is_query(sign_at + 1) or self._is_query(start):
            return SOME if self._has_column(start, end) else UNSURE
        if any(self._tokens[index].text in _CALCULATED for index in self._top(sign_at + 1, end)):
            return UNSURE
        if _NULL in (left[0], right[0]):
            return UNSURE
        if left[0].text == right[0].text and {left[0].kind, right[0].kind} == {"text", "name"}:
            return UNSURE  # MySQL reads `"a"` as a text.
        if left == right:
            has_call = any(self._is_sign(index, "(") for index in range(start + 1, sign_at))
            return UNSURE if has_call else (ALL if sign in _EQUAL else NONE)
        if len(left) == len(right) == 1 and left[0].kind == right[0].kind == "number":
            is_so = _CALCULATED[sign](float(left[0].text), float(right[0].text))
            return ALL if is_so else NONE
        has_left, has_right = self._has_column(start, sign_at), self._has_column(sign_at + 1, end)
        if not has_left and not has_right:
            return UNSURE
        if has_left != has_right:
            limit = right if has_left else left
            if _is_wide(sign if has_left else _MIRRORED.get(sign, sign), limit):
                return UNSURE
        return SOME

    def _tested(self, start: int, word_at: int, end: int) -> Shares:
        """`IS`, `IN`, `BETWEEN`, `LIKE` and their like."""
        word = self._tokens[word_at].text
        rest = word_at + 1
        is_negated = self._is_word(word_at - 1, "NOT") and word_at > start
        stop = word_at - 1 if is_negated else word_at
        if word == "IN" and self._is_query(rest):
            return self._chosen(rest, end)
        if not self._has_column(start, stop):
            return UNSURE
        left = self._side(start, stop)
        if word in ("IS", "ISNULL", "NOTNULL"):
            is_null = word == "ISNULL" or list(self._tokens[rest:end]) == [_NULL]
            return SOME | NONE if is_null else UNSURE
        if word in _MATCHING:
            return self._matched(left, rest, end)
        if word == "IN" and any(token == left[0] for token in self._tokens[rest:end]):
            return UNSURE
        if word == "BETWEEN" and self._has_column(rest, end):
            return UNSURE
        return SOME

    def _matched(self, left: Sequence[Token], start: int, end: int) -> Shares:
        """`name LIKE '%'` is true of all, and `name LIKE name` too."""
        if start >= end or self._tokens[start] == left[0]:
            return UNSURE
        pattern = self._tokens[start]
        if pattern.kind == "text":
            return SOME if pattern.text.strip("%*.^$_") else UNSURE
        return SOME if self._has_column(start, end) else UNSURE

    def _chosen(self, start: int, end: int) -> Shares:
        """A query in brackets: true of some rows if it selects by a condition, or reads other
        tables.
        """
        words = [token.text for token in self._tokens[start:end] if token.kind in ("word", "name")]
        if "WHERE" in words:
            where = words.index("WHERE")
            return SOME if set(words[where + 1 :]) - _CONSTANTS else UNSURE
        is_other = "FROM" in words and not self._targets & {word.upper() for word in words}
        return SOME if is_other and self._is_word(start - 1, "IN") else UNSURE

    def _has_opposites(self, parts: Sequence[tuple[int, int]]) -> bool:
        """`a = 1 OR a <> 1`: each part one comparison, two of them opposites."""
        met: set[tuple[str, str, str]] = set()
        for start, end in parts:
            places = [
                index
                for index in self._top(start, end)
                if self._tokens[index].kind == "sign" and self._tokens[index].text in _CALCULATED
            ]
            if len(places) != 1 or self._tokens[places[0]].text == "<=>":
                continue
            sign = {"==": "=", "!=": "<>"}.get(self._tokens[places[0]].text)
            sign = sign or self._tokens[places[0]].text
            left = " ".join(token.text for token in self._side(start, places[0]))
            right = " ".join(token.text for token in self._side(places[0] + 1, end))
            if (left, _OPPOSITE[sign], right) in met:
                return True
            met.add((left, sign, right))
        return False

    def _has_column(self, start: int, end: int) -> bool:
        """True if a part of it may have another value in another row."""
        for index in range(start, end):
            token = self._tokens[index]
            if token.kind == "name":
                return True
            if token.kind != "word" or token.text[0] in "@:$" or token.text in _CONSTANTS:
                continue
            before = self._tokens[index - 1].text if index else ""
            is_followed = index + 1 < len(self._tokens) and (
                self._tokens[index + 1].text == "(" or self._tokens[index + 1].kind == "text"
            )
            if before not in _BEFORE_TYPE and not is_followed:
                return True
        return False

    def _side(self, start: int, end: int) -> Sequence[Token]:
        """The tokens of one side, without brackets around all of it."""
        while start < end and self._closing.get(start) == end - 1:
            start, end = start + 1, end - 1
        return self._tokens[start:end]

    def _split(self, start: int, end: int, word: str, sign: str) -> list[tuple[int, int]]:
        parts: list[tuple[int, int]] = []
        first, between = start, False
        for index in self._top(start, end):
            between = between or self._is_word(index, "BETWEEN")
            if self._is_word(index, word) or self._is_sign(index, sign):
                if between and word == "AND":
                    between = False
                    continue
                parts.append((first, index))
                first = index + 1
        return [*parts, (first, end)]

    def _top(self, start: int, end: int) -> list[int]:
        """The places outside brackets; for a bracket, only its opening."""
        found, index = [], start
        while index < end:
            found.append(index)
            index = self._closing.get(index, index) + 1
        return found

    def _is_word(self, index: int, word: str) -> bool:
        return 0 <= index < len(self._tokens) and self._tokens[index] == Token("word", word)

    def _is_sign(self, index: int, sign: str) -> bool:
        return index < len(self._tokens) and self._tokens[index] == Token("sign", sign)

    def _is_query(self, index: int) -> bool:
        """True if a query in brackets begins there."""
        while self._is_sign(index, "("):
            index += 1
            if any(self._is_word(index, word) for word in ("SELECT", "WITH", "VALUES", "TABLE")):
                return True
        return False


def _closing(tokens: Sequence[Token]) -> dict[int, int]:
    """The closing place of each bracket that is closed."""
    found: dict[int, int] = {}
    waiting: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind == "sign" and token.text == "(":
            waiting.append(index)
        elif token.kind == "sign" and token.text == ")" and waiting:
            found[waiting.pop()] = index
    return found


def _is_wide(sign: str, limit: Sequence[Token]) -> bool:
    """`id > 0`, `name <> ''`: true of every row as often as not."""
    written = [token.text for token in limit]
    if written[0] == "-":
        del written[0]
    return sign in (">", ">=", "<>", "!=") and len(written) == 1 and written[0] in _LOWEST


def _both(left: Shares, right: Shares) -> Shares:
    """Of two conditions that are each true of some, some rows may well meet both."""
    return frozenset(
        "none" if "none" in (a, b) else "some" if "some" in (a, b) else "all"
        for a in left
        for b in right
    )


def _either(left: Shares, right: Shares) -> Shares:
    return frozenset(
        "all" if "all" in (a, b) else "some" if "some" in (a, b) else "none"
        for a in left
        for b in right
    )


def _negated(shares: Shares) -> Shares:
    opposite: dict[Share, Share] = {"all": "none", "some": "some", "none": "all"}
    return frozenset(opposite[share] for share in shares)
