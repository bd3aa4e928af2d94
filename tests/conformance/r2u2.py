"""R2U2's specifications (bounded MLTL over booleans) as our invariants, one tick of time a second.

    read(specification) -> one formula each; CannotSay
    parts_of(formula) -> what `always:` takes, one invariant for each conjunct; CannotSay

`G F U` are `always eventually until`, `H O S` their mirror images; `G[2]` is `G[0,2]`. The part of
the language with numbers, arrays and enumerations is not read: it says nothing of time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from typing import Final, Literal

from invariants.formula.ast import (
    FUTURE_OPERATORS,
    Atom,
    Binary,
    Formula,
    Not,
    Temporal,
    Until,
    Window,
)
from tests.conformance.dejavu import CannotSay

SECOND_NS: Final = 1_000_000_000
ANY_EVENT: Final = Atom("any_event")
_TOKEN: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9.]*|\d+|<->|->|=>|:=|&&|\|\||[!()\[\]{},;:]")
_SECTION: Final = re.compile(r"\b(STRUCT|ENUM|INPUT|DEFINE|FTSPEC|PTSPEC)\b")
_UNARY: Final[dict[str, Literal["always", "eventually", "historically", "once"]]] = {
    **{"G": "always", "F": "eventually"},
    **{"H": "historically", "O": "once"},
}
_UNTIL: Final[dict[str, Literal["until", "since"]]] = {"U": "until", "S": "since"}
_OVER_SETS: Final = ("foreach", "forsome", "forexactly", "foratleast", "foratmost")


def read(text: str) -> list[Formula]:
    """The formulas of a specification, in the order of their numbers."""
    pieces = _SECTION.split(text)[1:]
    sections = list(zip(pieces[::2], pieces[1::2], strict=True))
    names: dict[str, str] = {}
    formulas: list[Formula] = []
    for title, body in sections:
        if title == "INPUT" and set(re.findall(r":\s*(\w+)", body)) != {"bool"}:
            raise CannotSay("inputs that are no booleans")
        if title == "DEFINE":
            structs = "".join(other for name, other in sections if name == "STRUCT")
            names |= _defined(body, structs)
        if title in ("FTSPEC", "PTSPEC"):
            formulas += _Reader(body, names).specifications()
    return formulas


def _defined(text: str, structs: str) -> dict[str, str]:
    """`n := 1` is a name of a number, `t := Test(b0, b1)` makes names `t.m1` and `t.m2`."""
    names: dict[str, str] = {}
    members = {
        name: re.findall(r"\w+", inside.split(":")[0])
        for name, inside in re.findall(r"(\w+)\s*:\s*\{([^}]*)\}", structs)
    }
    for name, value in re.findall(r"(\w+)\s*:=\s*([^;]*);", text):
        if made := re.fullmatch(r"(\w+)\(([^)]*)\)", value):
            pairs = zip(members[made[1]], made[2].split(","), strict=True)
            names |= {f"{name}.{member}": given.strip() for member, given in pairs}
        else:
            names[name] = value
    return names


class _Reader:
    """Recursive descent, loosest first: `<->`, `->`, `||`, `&&`, `U S`, unary."""

    def __init__(self, text: str, names: dict[str, str]) -> None:
        rest = _TOKEN.sub("", text).strip()
        assert not rest, f"signs that are no token: {rest!r}"
        self.tokens: list[str] = _TOKEN.findall(text)
        self.index = 0
        self.names = dict(names)

    def specifications(self) -> list[Formula]:
        found: list[Formula] = []
        while self.peek():
            if self.peek(1) == ":":  # A label.
                self.index += 2
            formula = self.binary(0)
            if self.peek() == "=>":  # A contract: what is assumed, what follows, and both.
                self.take("=>")
                guarantee = self.binary(0)
                found += [formula, Binary("implies", formula, guarantee)]
                formula = Binary("and", formula, guarantee)
            found.append(formula)
            self.take(";")
        return found

    def binary(self, level: int) -> Formula:
        if level == len(_LEVELS):
            return self.until()
        sign, operator = _LEVELS[level]
        left = self.binary(level + 1)
        while self.peek() == sign:
            self.take(sign)
            left = Binary(operator, left, self.binary(level + 1))
        return left

    def until(self) -> Formula:
        left = self.unary()
        if self.peek() in _UNTIL:
            operator = _UNTIL[self.take()]
            window = self.window()
            left = Until(operator, window, left, self.unary())
        return left

    def unary(self) -> Formula:
        token = self.take()
        if token == "!":
            return Not(self.unary())
        if token in _UNARY:
            window = self.window()
            return Temporal(_UNARY[token], window, self.unary())
        if token in _OVER_SETS:
            return self.over_set(token)
        if token == "(":
            inner = self.binary(0)
            self.take(")")
            return inner
        return Atom(self.names.get(token, token))

    def window(self) -> Window:
        self.take("[")
        low, high = 0, int(self.take())
        if self.peek() == ",":
            self.take(",")
            low, high = high, int(self.take())
        self.take("]")
        return Window(low * SECOND_NS, high * SECOND_NS)

    def over_set(self, word: str) -> Formula:
        """`foratleast(b: {b0, b1}, 1)(f)`: in how many members' f must hold."""
        self.take("(")
        variable, _, _ = self.take(), self.take(":"), self.take("{")
        members = [self.take()]
        while self.take(",", "}") == ",":
            members.append(self.take())
        number = 0
        if self.peek() == ",":
            self.take(",")
            token = self.take()
            number = int(self.names.get(token, token))
        self.take(")")
        start, bodies = self.index, []
        for member in members:
            self.index, self.names[variable] = start, member
            bodies.append(self.unary())
        counts = {
            "foreach": {len(members)},
            "forsome": {*range(1, len(members) + 1)},
            "forexactly": {number},
            "foratleast": {*range(number, len(members) + 1)},
            "foratmost": {*range(number + 1)},
        }[word]
        return reduce(_either, (choice for n in sorted(counts) for choice in _exactly(bodies, n)))

    def peek(self, ahead: int = 0) -> str:
        index = self.index + ahead
        return self.tokens[index] if index < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        assert token and (not expected or token in expected), f"{expected} expected, not {token!r}"
        self.index += 1
        return token


_LEVELS: Final[tuple[tuple[str, Literal["iff", "implies", "or", "and"]], ...]] = (
    ("<->", "iff"),
    ("->", "implies"),
    ("||", "or"),
    ("&&", "and"),
)


def _either(left: Formula, right: Formula) -> Formula:
    return Binary("or", left, right)


def _both(left: Formula, right: Formula) -> Formula:
    return Binary("and", left, right)


def _exactly(bodies: Sequence[Formula], number: int) -> list[Formula]:
    """One conjunction for each way in which so many of the bodies hold."""
    return [
        reduce(_both, [b if n in chosen else Not(b) for n, b in enumerate(bodies)])
        for chosen in combinations(range(len(bodies)), number)
    ]


def parts_of(formula: Formula, *, is_negated: bool = False) -> list[Formula]:
    """Formulas for `always:`; together they say what the formula says at an event.

    A future operator may stand only once and at the top; a conjunction is several invariants.
    """
    if not has_future(formula):
        return [Not(formula) if is_negated else formula]
    match formula:
        case Not(body):
            return parts_of(body, is_negated=not is_negated)
        case Binary("and" | "or" as word, left, right):
            if (word == "and") != is_negated:
                return [p for side in (left, right) for p in parts_of(side, is_negated=is_negated)]
            return [_beside(left, right, is_negated)]
        case Binary():
            raise CannotSay("a future operator beside `->` or `<->`")
        case Temporal("always" | "eventually" as word, window, body):
            if has_future(body):
                raise CannotSay("a future operator inside another")
            dual: Literal["always", "eventually"] = "eventually" if word == "always" else "always"
            ahead = Temporal(dual, window, Not(body)) if is_negated else formula
            return [Binary("implies", ANY_EVENT, ahead)]
        case Until("until", _, left, right) if not is_negated:
            if has_future(left) or has_future(right):
                raise CannotSay("a future operator inside another")
            return [Binary("implies", ANY_EVENT, formula)]
        case _:
            raise CannotSay("a future operator inside another, or `until` denied")


def _beside(left: Formula, right: Formula, is_negated: bool) -> Formula:
    """`f or g`, of which one speaks of the future: `not f implies g`."""
    if has_future(left) and has_future(right):
        raise CannotSay("two future operators under one `or`")
    now, ahead = (right, left) if has_future(left) else (left, right)
    match parts_of(ahead, is_negated=is_negated):
        case [Binary("implies", trigger, future)] if trigger == ANY_EVENT:
            return Binary("implies", now if is_negated else Not(now), future)
        case _:
            raise CannotSay("two future operators under one `or`")


def has_future(formula: Formula) -> bool:
    return _has(formula, FUTURE_OPERATORS)


def has_past(formula: Formula) -> bool:
    return _has(formula, frozenset({"historically", "once", "since"}))


def _has(formula: Formula, operators: frozenset[str]) -> bool:
    match formula:
        case Not(body):
            return _has(body, operators)
        case Binary(_, left, right):
            return _has(left, operators) or _has(right, operators)
        case Temporal(word, _, body):
            return word in operators or _has(body, operators)
        case Until(word, _, left, right):
            return word in operators or _has(left, operators) or _has(right, operators)
        case _:
            return False
