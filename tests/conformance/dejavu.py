"""DejaVu's properties (QTL) as our formulas: with their meaning kept, or the reason why not.

    read(specification) -> properties        formula_text(property) -> formula; CannotSay

Source: the grammar of DejaVu's own specifications (first-order past-time temporal logic). `@` is
`previous`, `P` `once`, `H` `historically`, `S` `since`, `[p,q)` is `not q since p`. Outer
universal quantifiers are our variables; `exists` is ours. DejaVu's variables range over all values
seen so far, ours over those that the event at hand names: the loader refuses what that could
change, and that is a construct that we lack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

Tree = tuple["str | Tree | int | tuple[Tree, ...]", ...]
TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>\"[^\"]*\")|(?P<word>[A-Za-z_][A-Za-z_0-9]*)|(?P<number>\d+)"
    r"|(?P<sign><->|->|:=|<=|>=|[()\[\],.@&|!=<>:]))"
)
COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
FAR_S: Final = 1_000_000
"""An upper bound beyond every log: our windows have one."""


class CannotSay(Exception):
    """The construct that our language lacks."""


@dataclass(frozen=True)
class Property:
    """One property: its name, and its formula as a tree with macros written out."""

    name: str
    tree: Tree


def read(text: str) -> list[Property]:
    """Every property of a specification."""
    return _Reader(COMMENT.sub(" ", text)).specification()


class _Reader:
    """Recursive descent, loosest operator first: `<->`, `->`, `|`, `&`, `S`, unary."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position = 0
        while text[position:].strip():
            match = TOKEN.match(text, position)
            if match is None:
                raise CannotSay(f"sign {text[position:].strip()[:1]!r}")
            self.tokens.append(match.group().strip())
            position = match.end()
        self.index = 0
        self.macros: dict[str, tuple[list[str], Tree]] = {}

    def specification(self) -> list[Property]:
        found: list[Property] = []
        while self.peek():
            word = self.take()
            if word == "pred":
                name, parameters = self.take(), self.parameters()
                self.expect("=")
                self.macros[name] = parameters, self.formula()
            elif word in ("event", "events"):
                while self.peek() and self.peek() not in ("prop", "pred"):
                    self.take()
            elif word == "prop":
                name = self.take()
                self.expect(":")
                tree = self.formula()
                if self.peek() == "where":
                    raise CannotSay("recursive rules (`where`)")
                found.append(Property(name, tree))
            else:
                raise CannotSay(f"`{word}`")
        return [Property(p.name, self.expanded(p.tree, 0)) for p in found]

    def expanded(self, tree: Tree, depth: int) -> Tree:
        """Macros written out, parameters replaced."""
        if depth > 20:
            raise CannotSay("recursive rules (`where`)")
        sort = tree[0]
        if sort == "atom" and tree[1] in self.macros:
            parameters, body = self.macros[str(tree[1])]
            arguments = tree[2]
            assert isinstance(arguments, tuple)
            put = dict(zip(parameters, arguments, strict=True))
            return self.expanded(_replaced(body, put), depth + 1)
        return tuple(
            self.expanded(part, depth) if isinstance(part, tuple) and _is_tree(part) else part
            for part in tree
        )

    def formula(self) -> Tree:
        left = self.implication()
        if self.peek() == "<->":
            self.take()
            left = ("iff", left, self.implication())
        return left

    def implication(self) -> Tree:
        left = self.either()
        if self.peek() == "->":
            self.take()
            return ("implies", left, self.implication())
        return left

    def either(self) -> Tree:
        left = self.both()
        while self.peek() == "|":
            self.take()
            left = ("or", left, self.both())
        return left

    def both(self) -> Tree:
        left = self.since()
        while self.peek() == "&":
            self.take()
            left = ("and", left, self.since())
        return left

    def since(self) -> Tree:
        left = self.unary()
        while self.peek() in ("S", "Z"):
            if self.take() == "Z":
                raise CannotSay("`Z` (strict since)")
            window = self.bound()
            left = ("since", window, left, self.unary())
        return left

    def bound(self) -> tuple[int, int] | None:
        if self.peek() != "[" or self.tokens[self.index + 1] not in ("<=", ">", "<", ">="):
            return None
        self.take()
        sign, number = self.take(), int(self.take())
        self.expect("]")
        low, high = {
            "<=": (0, number),
            "<": (0, number - 1),
            ">": (number + 1, FAR_S),
            ">=": (number, FAR_S),
        }[sign]
        return low, high

    def unary(self) -> Tree:
        token = self.take()
        match token:
            case "!":
                return ("not", self.unary())
            case "@":
                return ("previous", None, self.unary())
            case "P" | "H":
                window = self.bound()
                return ("once" if token == "P" else "historically", window, self.unary())
            case "forall" | "exists" | "Forall" | "Exists":
                variable = self.take()
                self.expect(".")
                return (token.lower(), variable, self.formula())
            case "(":
                inner = self.formula()
                self.expect(")")
                return inner
            case "[":
                begin = self.formula()
                self.expect(",")
                end = self.formula()
                self.expect(")")
                return ("since", None, ("not", end), begin)
            case "true" | "false":
                return (token,)
            case _:
                return self.atom(token)

    def atom(self, token: str) -> Tree:
        if self.peek() in ("<", "<=", ">", ">=", "="):
            return ("compare", self.take(), token, self.take())
        arguments: list[str] = []
        if self.peek() == "(":
            self.take()
            while True:
                arguments.append(self.take())
                if self.take() == ")":
                    break
        return ("atom", token, tuple(arguments))

    def parameters(self) -> list[str]:
        names: list[str] = []
        if self.peek() == "(":
            self.take()
            while True:
                names.append(self.take())
                if self.take() == ")":
                    break
        return names

    def peek(self) -> str:
        return self.tokens[self.index] if self.index < len(self.tokens) else ""

    def take(self) -> str:
        self.index += 1
        return self.tokens[self.index - 1]

    def expect(self, sign: str) -> None:
        if self.take() != sign:
            raise CannotSay(f"no `{sign}` where one is expected")


def _is_tree(part: object) -> bool:
    return isinstance(part, tuple) and bool(part) and isinstance(part[0], str) and part[0] in SORTS


SORTS: Final = {
    *("atom", "not", "and", "or", "implies", "iff", "previous", "once", "historically", "since"),
    *("forall", "exists", "true", "false", "compare"),
}


def _replaced(tree: Tree, put: dict[str, str]) -> Tree:
    sort = tree[0]
    if sort == "atom":
        arguments = tree[2]
        assert isinstance(arguments, tuple)
        return ("atom", tree[1], tuple(put.get(str(a), str(a)) for a in arguments))
    if sort == "compare":
        sides = (put.get(str(side), str(side)) for side in tree[2:])
        return ("compare", tree[1], *sides)
    if sort in ("forall", "exists"):
        variable, body = str(tree[1]), tree[2]
        assert isinstance(body, tuple)
        inner = {name: value for name, value in put.items() if name != variable}
        if variable in inner.values():  # Another variable of this name would be caught here.
            inner[variable] = variable = f"{variable}_"
        return (sort, variable, _replaced(body, inner))
    return tuple(_replaced(p, put) if _is_tree(p) else p for p in tree)  # type: ignore[arg-type]


def formula_text(found: Property) -> str:
    """The invariant's formula, for `always:`. Raises CannotSay."""
    tree = found.tree
    bound: list[str] = []
    while tree[0] == "forall":
        bound.append(str(tree[1]))
        assert isinstance(tree[2], tuple)
        tree = tree[2]
    return _text(tree, frozenset(bound))


def _text(tree: Tree, bound: frozenset[str]) -> str:
    def inner(part: object, more: str = "") -> str:
        assert isinstance(part, tuple)
        return _text(part, bound | {more} if more else bound)

    match tree:
        case ("atom", name, arguments):
            assert isinstance(arguments, tuple)
            pairs = [f"a{n}={_term(str(a), bound)}" for n, a in enumerate(arguments)]
            return (
                f"{predicate_name(str(name), len(pairs))}({', '.join(pairs)})"
                if pairs
                else (predicate_name(str(name), 0))
            )
        case ("not", body):
            return f"(not {inner(body)})"
        case ("and" | "or" | "implies" | "iff" as word, left, right):
            return f"({inner(left)} {word} {inner(right)})"
        case ("previous" | "once" | "historically" as word, window, body):
            return f"({word}{_window(window)} {inner(body)})"
        case ("since", window, ("true",), right):
            return f"(once{_window(window)} {inner(right)})"
        case ("since", window, left, right):
            return f"({inner(left)} since{_window(window)} {inner(right)})"
        case ("exists", variable, body):
            assert isinstance(body, tuple)
            pushed = _pushed(str(variable), body)
            if pushed[0] != "exists":
                return inner(pushed)
            return f"(exists v_{variable} ({inner(body, str(variable))}))"
        case ("forall", variable, body):
            return f"(not exists v_{variable} (not {inner(body, str(variable))}))"
        case ("compare", sign, left, right):
            operator = "==" if sign == "=" else str(sign)
            return f"({_term(str(left), bound)} {operator} {_term(str(right), bound)})"
        case ("true" | "false" as word,):
            raise CannotSay(f"`{word}` as a formula")
        case _:
            raise CannotSay(f"`{tree[0]}`")


def _pushed(variable: str, body: Tree) -> Tree:
    """`exists x . body` brought inward: the quantifier passes what says the same either way."""
    match body:
        case ("once" | "previous" as word, window, inner) if isinstance(inner, tuple):
            return (word, window, _pushed(variable, inner))
        case ("since", window, left, right) if isinstance(right, tuple) and not _names(
            left, variable
        ):
            return ("since", window, left, _pushed(variable, right))
        case ("or", left, right) if isinstance(left, tuple) and isinstance(right, tuple):
            return ("or", _pushed(variable, left), _pushed(variable, right))
        case ("and", left, right) if isinstance(left, tuple) and isinstance(right, tuple):
            if not _names(left, variable):
                return ("and", left, _pushed(variable, right))
            if not _names(right, variable):
                return ("and", _pushed(variable, left), right)
        case ("atom", name, arguments) if isinstance(arguments, tuple):
            if arguments.count(variable) == 1:
                return ("atom", name, tuple("_" if a == variable else a for a in arguments))
    return body if not _names(body, variable) else ("exists", variable, body)


def _names(part: object, variable: str) -> bool:
    """Whether a variable is free in a formula."""
    match part:
        case ("forall" | "exists", name, body):
            return name != variable and _names(body, variable)
        case ("atom", _, arguments) if isinstance(arguments, tuple):
            return variable in arguments
        case ("compare", _, left, right):
            return variable in (left, right)
        case tuple():
            return any(_names(inner, variable) for inner in part if isinstance(inner, tuple))
        case _:
            return False


def _window(window: object) -> str:
    if window is None:
        return ""
    assert isinstance(window, tuple)
    return f"[{window[0]}s, {window[1]}s]"


def _term(term: str, bound: frozenset[str]) -> str:
    if term.startswith('"') or term.isdigit() or term == "_":
        return term
    if term not in bound:
        raise CannotSay(f"the free name `{term}`")
    return f"v_{term}"


def predicate_name(name: str, count: int) -> str:
    """A predicate for an event's name with so many arguments."""
    return f"e_{name}_{count}"


def invariant_file(formula: str) -> str:
    """A whole invariant file: one predicate for each (name, arity) that the formula uses."""
    lines = ["version: 1", "predicates:"]
    for name, count in sorted(set(re.findall(r"\be_(\w+?)_(\d+)\b", formula))):
        lines.append(f"  e_{name}_{count}:")
        lines.append(f'    when: kind == "{name}" && size(args.a) == {count}')
        if int(count):
            lines.append("    with:")
            lines += [f"      a{n}: args.a[{n}]" for n in range(int(count))]
    lines += ["invariants:", "  - id: translated", "    severity: warning"]
    return "\n".join(lines) + f"\n    always: '{formula}'\n"
