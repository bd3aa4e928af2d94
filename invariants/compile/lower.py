"""Compiles an invariant to the tables of the machine: nodes, memories, and required values.

    violating_formula   never/always, limits written out, `not` brought inward   (binding.py)
    split_future        P and not F, P and F       ->  P, F
    build               formula -> Node, one memory for each distinct past operator or aggregate
    missing_uses        which values the invariant cannot do without

The passes assume a specification in which `check/specs.py` found no error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..check.normal_form import conjuncts, free_variables, normalise, trigger, violating_formula
from ..check.safety import subformulas
from ..formula.ast import (
    FUTURE_OPERATORS,
    AggregateComparison,
    Anything,
    Atom,
    Binary,
    Comparison,
    Constant,
    Exists,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Until,
    Variable,
)
from ..formula.format import format_formula
from ..model.fact import Value
from ..model.limits import Limits
from ..operators.contract import Memory
from ..operators.future import Future
from ..operators.nodes import (
    AndNode,
    AtomNode,
    ComparisonNode,
    EndNode,
    ExistsNode,
    MemoryNode,
    Node,
    NotNode,
    OrNode,
)
from ..operators.sides import names_all
from ..operators.table import memory_of
from ..runtime.tables import MissingUse, Tables
from ..spec.model import InvariantSpec

FOLDED_NODES_MAX: Final = 100
"""Chosen: 12 times the nodes of the largest formula in the packs. A folded formula takes about 100
bytes a node."""
NUMERIC_AGGREGATES = frozenset({"sum", "min", "max", "avg", "first"})


def build_tables(spec: InvariantSpec, limits: Limits) -> Tables:
    """Run the passes."""
    formula = violating_formula(spec)
    past, future = _split_future(formula)
    variables = tuple(sorted(free_variables(formula)))
    builder = _Builder(variables, _exists_count(formula), limits)
    violating = builder.node(past)
    awaited = builder.future(*future) if future is not None else None
    asked = trigger(past)
    trigger_node = builder.node(asked) if asked is not None else None
    return Tables(
        violating=violating,
        binder=_binder(violating, len(variables)),
        width=builder.width,
        trigger=trigger_node,
        future=awaited,
        memories=tuple(builder.memories),
        variables=variables,
        predicates=tuple(sorted({atom.predicate for atom in _atoms_of(formula)})),
        missing_uses=tuple(sorted(_missing_uses(formula), key=str)),
        is_large=sum(1 for _ in subformulas(formula)) > FOLDED_NODES_MAX,
    )


def _split_future(formula: Formula) -> tuple[Formula, tuple[Temporal | Until, bool] | None]:
    """P and the future operator of `P and not F` or, true, of `P and F`."""
    members = list(conjuncts(formula))
    for index, member in enumerate(members):
        is_negated = isinstance(member, Not)
        body = member.body if isinstance(member, Not) else member
        if isinstance(body, Temporal | Until) and body.operator in FUTURE_OPERATORS:
            past, *others = members[:index] + members[index + 1 :]
            for other in others:
                past = Binary("and", past, other)
            return past, (body, not is_negated)
    return formula, None


class _Builder:
    """Makes nodes (`operators.contract.Builder`); equal past operators and aggregates share one
    memory.
    """

    def __init__(self, variables: tuple[str, ...], exists_count: int, limits: Limits) -> None:
        self.memories: list[Memory] = []
        self.width = len(variables) + exists_count
        self._next_slot = len(variables)
        self._known: dict[tuple[Formula, tuple[int, ...]], MemoryNode] = {}
        self._slots = {name: slot for slot, name in enumerate(variables)}
        self.limits = limits

    def node(self, formula: Formula) -> Node:
        match formula:
            case Atom():
                return self.atom(formula)
            case SessionEnd():
                return EndNode()
            case Comparison(operator, left, right):
                left_slot, left_value = self.side(left)
                right_slot, right_value = self.side(right)
                return ComparisonNode(operator, left_slot, left_value, right_slot, right_value)
            case Not(body):
                return NotNode(self.node(body))
            case Binary("and" | "or" as operator):
                members = tuple(self.node(member) for member in _members(formula, operator))
                return AndNode(members) if operator == "and" else OrNode(members)
            case Exists():
                return self._exists(formula)
            case _:
                return self._memory(formula)

    def _exists(self, formula: Exists) -> Node:
        """Its variable gets its own slot, even if another has the same name."""
        outer = self._slots
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        self._slots = {**outer, formula.variable: slot}
        body = self.node(formula.body)
        self._slots = outer
        return ExistsNode(slot, body, self.limits.bindings_max)

    def future(self, formula: Temporal | Until, is_violated_by: bool) -> Future:
        left, undoing_text = None, ""
        if isinstance(formula, Until):
            left = self.node(formula.left)
            undoing_text = format_formula(normalise(formula.left, is_negated=True))
        body = formula.right if isinstance(formula, Until) else formula.body
        slots = self.slots_of(free_variables(formula))
        return Future(
            text=format_formula(body),
            undoing_text=undoing_text,
            window=formula.window,
            left=left,
            body=self.node(body),
            is_next=formula.operator == "next",
            is_violated_by=is_violated_by,
            slots=slots,
            width=self.width,
            limits=self.limits,
            names_every_key=names_all(left, slots),
        )

    def _memory(self, formula: Formula) -> MemoryNode:
        key = formula, self.slots_of(free_variables(formula))
        known = self._known.get(key)
        if known is None:
            memory = memory_of(formula, self)
            self.memories.append(memory)
            known = self._known[key] = MemoryNode(memory)
        return known

    def atom(self, atom: Atom) -> AtomNode:
        constants = [(n, t.value) for n, t in atom.arguments if isinstance(t, Constant)]
        slots = [(n, self._slots[t.name]) for n, t in atom.arguments if isinstance(t, Variable)]
        return AtomNode(atom.predicate, tuple(constants), tuple(slots))

    def side(self, term: Variable | Constant) -> tuple[int | None, Value | None]:
        if isinstance(term, Variable):
            return self._slots[term.name], None
        return None, term.value

    def slots_of(self, variables: Iterable[str]) -> tuple[int, ...]:
        return tuple(sorted(self._slots[name] for name in variables))


def _members(formula: Formula, operator: str) -> Iterable[Formula]:
    if isinstance(formula, Binary) and formula.operator == operator:
        yield from _members(formula.left, operator)
        yield from _members(formula.right, operator)
    else:
        yield formula


def _binder(node: Node, width: int) -> Node:
    """A simpler node that makes at least the bindings of `node`: one atom that names them all.

    Extra bindings do not satisfy the trigger, so that they are not judged; but a trigger puts no
    condition on `exists`.
    """
    members = node.members if isinstance(node, AndNode) else (node,)
    if any(map(_has_exists, members)):
        return node
    for member in members:
        if isinstance(member, AtomNode) and not member.constants:
            slots = [slot for _, slot in member.slots]
            if sorted(slots) == list(range(width)):
                return member
    return node


def _has_exists(node: Node) -> bool:
    match node:
        case AndNode(members) | OrNode(members):
            return any(map(_has_exists, members))
        case _:
            return isinstance(node, ExistsNode)


def _exists_count(formula: Formula) -> int:
    """The number of `exists` in a formula; triggers have none."""
    match formula:
        case Exists(_, body):
            return 1 + _exists_count(body)
        case Not(body) | Temporal(body=body):
            return _exists_count(body)
        case Binary(_, left, right) | Until(_, _, left, right):
            return _exists_count(left) + _exists_count(right)
        case _:
            return 0


def _atoms_of(formula: Formula) -> Iterable[Atom]:
    match formula:
        case Atom():
            yield formula
        case AggregateComparison():
            yield from (aggregate.atom for aggregate in formula.aggregates)
        case Not(body) | Temporal(body=body) | Exists(body=body):
            yield from _atoms_of(body)
        case Binary(_, left, right) | Until(_, _, left, right):
            yield from _atoms_of(left)
            yield from _atoms_of(right)
        case _:
            return


def _missing_uses(formula: Formula) -> set[MissingUse]:
    """Values matched with a variable or a literal, or aggregated; `_` uses nothing."""
    match formula:
        case Atom(predicate, arguments):
            used = {name for name, term in arguments if not isinstance(term, Anything)}
            return {MissingUse(predicate, name, is_number=False) for name in used}
        case AggregateComparison():
            uses = set[MissingUse]()
            for of in formula.aggregates:
                uses |= _missing_uses(of.atom)
                if of.value is not None:
                    is_number = of.function in NUMERIC_AGGREGATES
                    uses.add(MissingUse(of.atom.predicate, of.value, is_number))
            return uses
        case Not(body) | Temporal(body=body) | Exists(body=body):
            return _missing_uses(body)
        case Binary(_, left, right) | Until(_, _, left, right):
            return _missing_uses(left) | _missing_uses(right)
        case _:
            return set()
