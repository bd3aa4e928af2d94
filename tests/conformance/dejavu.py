"""DejaVu's specifications (QTL, a first-order past-time temporal logic) as trees.

    read(specification) -> properties, macros written out; CannotSay

The grammar is that of DejaVu's own parser: `->` and `<->` bind loosest, equally and to the left,
then `|`, `&`, then one `S` or `Z` between leaves; `!`, `@`, `P`, `H` take a leaf; a quantifier is a
leaf that reaches as far as it can. `[p, q)` is `!q S p`. `exists` and `forall` range over values
seen so far, `Exists` and `Forall` over all values there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

_TOKEN: Final = re.compile(
    r'"[^"]*"|[A-Za-z_][A-Za-z_0-9]*|\d+(?:\.\d+)?|<->|->|:=|<=|>=|[()\[\],.@&|!=<>:]'
)
_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_COMPARISONS: Final = ("<=", "<", ">=", ">", "=")
_DEFINITIONS: Final = ("pred", "preds", "event", "events", "prop")


class CannotSay(Exception):
    """Names the construct that our language lacks."""


@dataclass(frozen=True)
class Name:
    """A variable."""

    text: str


Term = Name | str | int
"""A variable, or a text or a number written out."""


@dataclass(frozen=True)
class Bounds:
    """`[<=n]` and `[>n]`: ages, in units of the log's time, both ends included."""

    low: int = 0
    high: int | None = None


ALWAYS: Final = Bounds()


@dataclass(frozen=True)
class Constant:
    """`true` or `false`."""

    is_true: bool


@dataclass(frozen=True)
class Pred:
    """An event with its arguments, or the call of a macro."""

    name: str
    terms: tuple[Term, ...]
    conditions: tuple[tuple[str, int, Term], ...] = ()
    """Made by rewriting: the term at a position, an operator before it, a literal after it."""


@dataclass(frozen=True)
class Rel:
    """`x < y`, `x = 3`."""

    operator: str
    left: Term
    right: Term


@dataclass(frozen=True)
class Not:
    body: Tree


@dataclass(frozen=True)
class Binary:
    operator: Literal["and", "or", "implies", "iff"]
    left: Tree
    right: Tree


@dataclass(frozen=True)
class Previous:
    body: Tree


@dataclass(frozen=True)
class Since:
    """`left S right`; `is_strict` is DejaVu's `Z`: the right side held at an earlier event."""

    left: Tree
    right: Tree
    bounds: Bounds = ALWAYS
    is_strict: bool = False


@dataclass(frozen=True)
class Exists:
    """`Forall` is `not Exists not`. `is_seen`: only values that occurred ask (lower case)."""

    variable: str
    body: Tree
    is_seen: bool = False


Tree = Constant | Pred | Rel | Not | Binary | Previous | Since | Exists
TRUE: Final = Constant(True)


def once(body: Tree, bounds: Bounds = ALWAYS) -> Tree:
    """`P body`."""
    return Since(TRUE, body, bounds)


@dataclass(frozen=True)
class Macro:
    parameters: tuple[str, ...]
    body: Tree


def read(text: str) -> list[Tree]:
    """Every property of a specification, with its macros written out."""
    reader = _Reader(_COMMENT.sub(" ", text))
    reader.specification()
    return [_Expansion(reader.macros).expand(tree, {}) for tree in reader.properties]


class _Reader:
    """Recursive descent."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        rest = _TOKEN.sub("", text).strip()
        assert not rest, f"signs that are no token: {rest!r}"
        self.index = 0
        self.macros: dict[str, Macro] = {}
        self.properties: list[Tree] = []

    def specification(self) -> None:
        while self.index < len(self.tokens):
            match self.take(*_DEFINITIONS):
                case "prop":
                    self.take()
                    self.take(":")
                    self.properties.append(self.formula())
                    if self.peek() == "where":
                        raise CannotSay("recursive rules (`where`)")
                case word:
                    self.declaration(is_macro=word == "pred")

    def declaration(self, *, is_macro: bool) -> None:
        """A macro `pred p(x) = f`, or events, which say nothing but their arity."""
        name, parameters = self.take(), self.parameters()
        if is_macro and self.peek() == "=":
            self.take("=")
            self.macros[name] = Macro(parameters, self.formula())
            return
        while self.peek() == ",":
            self.take(",")
            self.take()
            self.parameters()

    def parameters(self) -> tuple[str, ...]:
        return tuple(self.take() for _ in self.listed())

    def listed(self) -> Iterator[None]:
        """Yields before each member of an optional list in brackets; the caller takes it."""
        if self.peek() == "(":
            self.take("(")
            yield
            while self.take(",", ")") == ",":
                yield

    def formula(self) -> Tree:
        left = self.chain("or")
        while self.peek() in ("->", "<->"):
            operator: Literal["implies", "iff"] = "implies" if self.take() == "->" else "iff"
            left = Binary(operator, left, self.chain("or"))
        return left

    def chain(self, operator: Literal["or", "and"]) -> Tree:
        def operand() -> Tree:
            return self.chain("and") if operator == "or" else self.since()

        left = operand()
        while self.peek() == ("|" if operator == "or" else "&"):
            self.take()
            left = Binary(operator, left, operand())
        return left

    def since(self) -> Tree:
        left = self.leaf()
        if self.peek() not in ("S", "Z"):
            return left
        is_strict = self.take() == "Z"
        bounds = self.bounds()
        return Since(left, self.leaf(), bounds, is_strict)

    def bounds(self) -> Bounds:
        if self.peek() != "[" or self.peek(1) not in ("<=", ">"):
            return ALWAYS
        self.take("[")
        sign, number = self.take(), int(self.take())
        self.take("]")
        return Bounds(0, number) if sign == "<=" else Bounds(number + 1)

    def leaf(self) -> Tree:
        match self.take():
            case "true" | "false" as word:
                return Constant(word == "true")
            case "!":
                return Not(self.leaf())
            case "@":
                return Previous(self.leaf())
            case "P":
                bounds = self.bounds()
                return once(self.leaf(), bounds)
            case "H":
                bounds = self.bounds()
                return Not(once(Not(self.leaf()), bounds))
            case "[":
                begin = self.formula()
                self.take(",")
                end = self.formula()
                self.take(")")
                return Since(Not(end), begin)
            case "exists" | "Exists" | "forall" | "Forall" as word:
                return self.quantifier(word)
            case "(":
                inner = self.formula()
                self.take(")")
                return inner
            case name:
                return self.atom(name)

    def quantifier(self, word: str) -> Tree:
        variable, _ = self.take(), self.take(".")
        body, is_seen = self.formula(), word[0].islower()
        if word.lower() == "exists":
            return Exists(variable, body, is_seen)
        return Not(Exists(variable, Not(body), is_seen))

    def atom(self, name: str) -> Tree:
        if self.peek() in _COMPARISONS:
            return Rel(self.take(), Name(name), self.term())
        return Pred(name, tuple(self.term() for _ in self.listed()))

    def term(self) -> Term:
        text = self.take()
        if text.startswith('"'):
            return text.strip('"')
        return int(text) if text.isdigit() else Name(text)

    def peek(self, ahead: int = 0) -> str:
        index = self.index + ahead
        return self.tokens[index] if index < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        if not token or (expected and token not in expected):
            self.refuse(expected)
        self.index += 1
        return token

    def refuse(self, expected: tuple[str, ...]) -> NoReturn:
        raise AssertionError(f"{expected} expected at {self.tokens[self.index :][:8]}")


class _Expansion:
    """Macros written out, with every quantified variable given a name of its own."""

    def __init__(self, macros: dict[str, Macro]) -> None:
        self.macros = macros
        self.count = 0

    def expand(self, tree: Tree, put: dict[str, Term]) -> Tree:
        """`put` says what stands for each variable that is free in the tree."""
        match tree:
            case Pred(name, terms) if name in self.macros:
                macro = self.macros[name]
                given = [_put(term, put) for term in terms]
                return self.expand(macro.body, dict(zip(macro.parameters, given, strict=True)))
            case Pred(name, terms):
                return Pred(name, tuple(_put(term, put) for term in terms))
            case Rel(operator, left, right):
                return Rel(operator, _put(left, put), _put(right, put))
            case Not(body):
                return Not(self.expand(body, put))
            case Binary(operator, left, right):
                return Binary(operator, self.expand(left, put), self.expand(right, put))
            case Previous(body):
                return Previous(self.expand(body, put))
            case Since(left, right, bounds, is_strict):
                return Since(self.expand(left, put), self.expand(right, put), bounds, is_strict)
            case Exists(variable, body, is_seen):
                self.count += 1
                fresh = f"{variable}_{self.count}"
                return Exists(fresh, self.expand(body, {**put, variable: Name(fresh)}), is_seen)
            case Constant():
                return tree


def _put(term: Term, put: dict[str, Term]) -> Term:
    return put[term.text] if isinstance(term, Name) else term
