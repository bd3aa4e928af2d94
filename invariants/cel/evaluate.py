"""Checked nodes -> closures, one per node, made once when the file is loaded.

Input: nodes without faults. Output: a `Prepared`, whose evaluator takes an `EventView`, gives a CEL
value or raises `Failure`. No source text is made and none is run: a closure holds its literals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, assert_never, cast

import re2

from . import (
    arithmetic,
    asked,
    costs,
    digests,
    fields,
    globs,
    logic,
    macros,
    names,
    relations,
    strings,
)
from .ast import (
    Calculation,
    Call,
    Comparison,
    Comprehension,
    Conditional,
    Constant,
    Has,
    Index,
    ListOf,
    Logical,
    MapOf,
    Name,
    Node,
    Select,
    Unary,
    free_names,
    sure_nodes_count,
)
from .common import CommonParts, evaluated_once, is_of_call
from .fields import Evaluator
from .functions import FUNCTIONS
from .known_lists import constant_list, list_name
from .shell.derived import READERS_OF_SHELL, Read
from .unknown_text import UnknownText
from .values import Failure, sure, text, type_name, utf8


@dataclass(frozen=True, slots=True)
class Prepared:
    """`counts_steps` means that a part of it needs a `Frame`: macros, comparisons of containers,
    `digest`, `seen`, `shell_commands`.
    """

    evaluator: Evaluator
    counts_steps: bool


def prepare(
    node: Node,
    lists: Mapping[str, list[Any]],
    digest_key: bytes,
    sources: asked.SourcePlaces = asked.NO_SOURCES,
    common: CommonParts | None = None,
) -> Prepared:
    """The closures of an expression that `check` found no fault in.

    `common` knows the parts that it shares with other expressions of its program.
    """
    builder = _Builder(lists, digest_key, sources, common)
    inner = builder.build(node)
    if builder.counts_steps:
        return Prepared(macros.framed(inner, builder.slots_count), True)
    return Prepared(inner, False)


class _Builder:
    """Walks one expression; records the requirements of its evaluation."""

    def __init__(
        self,
        lists: Mapping[str, list[Any]],
        digest_key: bytes,
        sources: asked.SourcePlaces,
        common: CommonParts | None,
    ) -> None:
        self._lists, self._digest_key, self._sources = lists, digest_key, sources
        self._common = common
        self._variables: list[str] = []
        self.slots_count = 0
        self.counts_steps = False

    def build(self, node: Node) -> Evaluator:
        evaluator = self._build(node)
        number = None if self._common is None else self._common.shared(node, self._lists)
        if number is None or any(name.name in self._variables for name in free_names(node)):
            return evaluator
        return evaluated_once(evaluator, number, of_call=is_of_call(node))

    def _build(self, node: Node) -> Evaluator:
        match node:
            case Constant():
                return _always(node.value)
            case Name():
                return self._name(node)
            case Select():
                name = list_name(node)
                if name is not None:
                    return _always(self._lists[name])
                return fields.selected(self.build(node.operand), node.key)
            case Has():
                return fields.has(self.build(node.operand), node.key)
            case Index():
                return fields.indexed(self.build(node.operand), self.build(node.key))
            case Call():
                return self._call(node)
            case Unary():
                operand = self.build(node.operand)
                if node.operator == "!":
                    return logic.negation(operand)
                return costs.calculated(arithmetic.negate, (operand,))
            case Calculation():
                operation = arithmetic.OPERATIONS[node.operator]
                return costs.calculated(operation, (self.build(node.left), self.build(node.right)))
            case Comparison():
                return self._comparison(node)
            case Logical():
                return self._logical(node)
            case Conditional():
                parts = (node.condition, node.chosen, node.otherwise)
                return logic.conditional(*(self.build(part) for part in parts))
            case ListOf():
                return _list_of([self.build(element) for element in node.elements])
            case MapOf():
                return _map_of(
                    [(self.build(key), self.build(value)) for key, value in node.entries]
                )
            case Comprehension():
                return self._comprehension(node)
            case _:
                assert_never(node)

    def _name(self, node: Name) -> Evaluator:
        if node.name in self._variables:
            # The innermost of equal names, as in CEL.
            innermost = self._variables[::-1].index(node.name)
            return macros.variable(len(self._variables) - 1 - innermost)
        if node.name == "lists":
            return _always(dict(self._lists))
        return fields.READERS[node.name]

    def _call(self, node: Call) -> Evaluator:
        arguments = [self.build(argument) for argument in node.arguments]
        first, last = node.arguments[0], node.arguments[-1]
        if node.function == "digest":
            self.counts_steps = True
            key, operand = self._digest_key, arguments[0]
            return lambda frame: digests.digest(operand(frame), key, frame)
        if node.function == "present":
            assert isinstance(first, Name), "check refuses everything else"
            return fields.present(first.name)
        if node.function in asked.FUNCTIONS_ASKING:
            self.counts_steps = True
            return asked.asking(node, arguments[0], self._sources)
        if node.function in READERS_OF_SHELL and not isinstance(first, Constant):
            self.counts_steps = True
            return _shell_commands(READERS_OF_SHELL[node.function], arguments[0])
        if node.function == "matches":
            assert isinstance(last, Constant)
            pattern = re2.compile(utf8(str(last.value)), globs.options())
            matches = strings.matcher(pattern.search, str(last.value))
            return costs.charged(matches, costs.by_length, arguments[:1], makes=False)
        if node.function == "glob" and isinstance(first, Constant):
            return _globbing("glob", [str(first.value)], arguments[1])
        if node.function == "glob_any" and (known := constant_list(first, self._lists)) is not None:
            return _globbing("glob_any", known, arguments[1])
        if (
            node.function == "named_any"
            and (known := constant_list(first, self._lists)) is not None
        ):
            return _naming(known, arguments[1])
        function = FUNCTIONS[node.function]
        if all(isinstance(argument, Constant) for argument in node.arguments):
            # Once, and not at every event; one that fails was refused by `check`.
            return _always(function.apply(*(cast(Constant, part).value for part in node.arguments)))
        return costs.charged(function.apply, function.steps, arguments, makes=function.makes)

    def _comparison(self, node: Comparison) -> Evaluator:
        if node.operator == "in":
            return self._membership(node)
        left, right = self.build(node.left), self.build(node.right)
        if node.operator not in ("==", "!="):
            return relations.ordered(node.operator, left, right)
        known = [part for part in (node.left, node.right) if isinstance(part, Constant)]
        if known:
            operand = left if known[0] is node.right else right
            equality = relations.equals_constant(operand, known[0].value)
        else:
            self.counts_steps = True
            equality = relations.equals(left, right)
        return equality if node.operator == "==" else relations.differs(equality)

    def _membership(self, node: Comparison) -> Evaluator:
        operand = self.build(node.left)
        known = constant_list(node.right, self._lists)
        fast = None if known is None else relations.member_of(operand, known)
        if fast is not None:
            return fast
        self.counts_steps = True
        return relations.member(operand, self.build(node.right))

    def _logical(self, node: Logical) -> Evaluator:
        operands = _flat(node)
        if self._variables:
            counts = [sure_nodes_count(operand) for operand in operands]
            built = [self.build(operand) for operand in operands]
            return logic.counted(built, counts, decisive=node.operator == "||")
        if node.operator == "||":
            return logic.disjunction([self.build(operand) for operand in operands])
        kind = _guard(operands[0], "kind")
        if kind is None:
            return logic.conjunction([self.build(operand) for operand in operands])
        tool = _guard(operands[1], "tool")
        rest = [self.build(operand) for operand in operands[1 if tool is None else 2 :]]
        if not rest:
            return logic.guarded_by_kind(kind, self.build(operands[1]))
        remaining = logic.truth(rest[0]) if len(rest) == 1 else logic.conjunction(rest)
        if tool is None:
            return logic.guarded_by_kind(kind, remaining)
        return logic.guarded_by_call(kind, tool, remaining)

    def _comprehension(self, node: Comprehension) -> Evaluator:
        self.counts_steps = True
        source, slot = self.build(node.source), len(self._variables)
        self._variables.append(node.variable)
        self.slots_count = max(self.slots_count, len(self._variables))
        body = self.build(node.body)
        transform = None if node.transform is None else self.build(node.transform)
        self._variables.pop()
        cost = sure_nodes_count(node.body) + (
            0 if node.transform is None else sure_nodes_count(node.transform)
        )
        match node.macro:
            case "all":
                return macros.quantifier(source, body, slot, cost, decisive=False)
            case "exists":
                return macros.quantifier(source, body, slot, cost, decisive=True)
            case "exists_one":
                return macros.exists_one(source, body, slot, cost)
            case "filter":
                return macros.kept(source, body, slot, cost)
            case "map":
                if transform is None:
                    return macros.mapped(source, None, body, slot, cost)
                return macros.mapped(source, body, transform, slot, cost)
            case _:
                assert_never(node.macro)


def _always(value: Any) -> Evaluator:
    return lambda source: value


def _globbing(function: str, patterns: list[Any], operand: Evaluator) -> Evaluator:
    """Patterns of the file: each is tried, and each costs as much as a regular expression."""
    matcher = globs.any_matcher(patterns)
    expression = "|".join(rf"\A(?:{globs.pattern_of(one)})\z" for one in patterns)
    wild_count = max(1, sum(1 for pattern in patterns if {"*", "?"} & set(pattern)))

    def steps(value: Any) -> int:
        return wild_count * costs.by_length(value)

    def matches(value: Any) -> bool:
        if type(value) is UnknownText:
            return sure(value.answer(expression), value)
        return matcher(text(value, function))

    chosen = costs.by_length if wild_count == 1 else steps
    return costs.charged(matches, chosen, (operand,), makes=False)


def _naming(patterns: list[Any], operand: Evaluator) -> Evaluator:
    """Patterns of names, prepared; a repeated name is looked up."""
    matcher = names.named_matcher(patterns)

    def matches(value: Any) -> bool:
        return matcher(text(value, "named_any"))

    def steps(value: Any) -> int:
        return costs.naming(len(patterns), value)

    return costs.charged(matches, steps, (operand,), makes=False)


def _shell_commands(read: Read, operand: Evaluator) -> Evaluator:
    return lambda frame: read(operand(frame), frame.view)


def _list_of(elements: list[Evaluator]) -> Evaluator:
    return lambda source: [element(source) for element in elements]


def _map_of(entries: list[tuple[Evaluator, Evaluator]]) -> Evaluator:
    def build_map(source: Any) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in entries:
            name = key(source)
            if type(name) is not str:
                raise Failure(f"the key of a map is a string here, not {type_name(name)}")
            if name in made:
                raise Failure("a key stands twice in one map")
            made[name] = value(source)
        return made

    return build_map


def _flat(node: Logical) -> list[Node]:
    """The operands, those of operands with the same operator among them."""
    parts = [
        _flat(operand)
        if isinstance(operand, Logical) and operand.operator == node.operator
        else [operand]
        for operand in node.operands
    ]
    return reduce(lambda whole, part: whole + part, parts)


def _guard(node: Node, name: str) -> str | None:
    """`x` if `node` is `name == "x"`; for `kind` such a test never fails."""
    if not isinstance(node, Comparison) or node.operator != "==":
        return None
    sides = (node.left, node.right)
    for side, other in (sides, sides[::-1]):
        is_named = isinstance(side, Name) and side.name == name
        if is_named and isinstance(other, Constant) and isinstance(other.value, str):
            return other.value
    return None
