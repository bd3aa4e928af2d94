"""Normalised formulas made ready to be evaluated at one moment, for one binding.

A `Node` is what is left of a formula: boolean structure over atoms, comparisons, and references
to *memories*, the cells in which temporal operators and aggregates keep their state. Evaluation
reads the letter of the moment and the cells as they are *after* the moment; it changes nothing.

A binding is an `Env`: a tuple of values, one for each variable of the invariant in the order of
their names; `UNBOUND` stands for no value, and equals nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, NamedTuple, Protocol, assert_never

from .fact import Fact, Truth, Value
from .formula.ast import Anything, Constant, Operator, Term, Variable, Window
from .moment import Letter
from .slices import Reading

UNBOUND: Final = None
Env = tuple[Value | None, ...]


class Context(NamedTuple):
    """Where a formula is evaluated: the letter and time of a moment, and the memories' cells."""

    position: int
    time_ns: int
    id: str
    letter: Letter
    is_session_end: bool
    cells: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class AtomNode:
    """`p(a=1, b=x)`; `constants` and `slots` pair a value's name with what it must equal."""

    predicate: str
    constants: tuple[tuple[str, Value], ...]
    slots: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class EndNode:
    """The event is its session's end."""


@dataclass(frozen=True, slots=True)
class ComparisonNode:
    """A side is a variable's slot (int in `left_slot`) or, where that is None, a constant."""

    operator: Operator
    left_slot: int | None
    left: Value | None
    right_slot: int | None
    right: Value | None


@dataclass(frozen=True, slots=True)
class NotNode:
    body: Node


@dataclass(frozen=True, slots=True)
class AndNode:
    members: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class OrNode:
    members: tuple[Node, ...]


class Memory(Protocol):
    """What a formula may ask of a temporal operator's or an aggregate's state."""

    @property
    def text(self) -> str:
        """The formula, as it is written."""

    @property
    def window(self) -> Window:
        """The ages that it looks at."""

    def read(self, context: Context, env: Env) -> Reading:
        """Its value after the event of `context`, for one binding."""


@dataclass(frozen=True, slots=True)
class MemoryNode:
    """The value of a temporal operator or of a compared aggregate, read from its cell."""

    memory: Memory


Node = AtomNode | EndNode | ComparisonNode | NotNode | AndNode | OrNode | MemoryNode


def value(node: Node, context: Context, env: Env) -> Truth:
    """The truth of `node` in `context` for `env`."""
    match node:
        case AtomNode():
            return atom_value(node, context.letter[node.predicate], env)
        case AndNode(members):
            worst = Truth.TRUE
            for member in members:
                worst = min(worst, value(member, context, env))
                if worst is Truth.FALSE:
                    return worst
            return worst
        case OrNode(members):
            best = Truth.FALSE
            for member in members:
                best = max(best, value(member, context, env))
                if best is Truth.TRUE:
                    return best
            return best
        case NotNode(body):
            return _NEGATION[value(body, context, env)]
        case MemoryNode():
            return node.memory.read(context, env).truth
        case ComparisonNode():
            return _comparison_value(node, env)
        case EndNode():
            return Truth.TRUE if context.is_session_end else Truth.FALSE
        case _:
            assert_never(node)


_NEGATION: Final = (Truth.TRUE, Truth.UNKNOWN, Truth.FALSE)


def atom_value(atom: AtomNode, fact: Fact, env: Env) -> Truth:
    """True where the predicate is, and each argument equals one of the event's values.

    A list that was too long may have held any value: a value not among those kept is unknown.
    """
    truth = fact.truth
    if truth is Truth.FALSE:
        return truth
    for name, wanted in atom.constants:
        truth = min(truth, _match(fact, name, wanted))
    for name, slot in atom.slots:
        truth = min(truth, _match(fact, name, env[slot]))
    return truth


def _match(fact: Fact, name: str, wanted: Value | None) -> Truth:
    if wanted is not UNBOUND and wanted in fact.values.get(name, ()):
        return Truth.TRUE
    return Truth.UNKNOWN if name in fact.overflowing else Truth.FALSE


def _comparison_value(node: ComparisonNode, env: Env) -> Truth:
    left = node.left if node.left_slot is None else env[node.left_slot]
    right = node.right if node.right_slot is None else env[node.right_slot]
    if node.operator in ("==", "!="):
        is_true = (left == right and left is not UNBOUND) == (node.operator == "==")
        return Truth.TRUE if is_true else Truth.FALSE
    order = _order(left, right)
    if order is None:
        return Truth.UNKNOWN
    holds = {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[node.operator]
    return Truth.TRUE if holds else Truth.FALSE


def _order(left: Value | None, right: Value | None) -> int | None:
    """Negative, zero or positive as `left` stands to `right`; None where they have no order."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return (left > right) - (left < right)
    return None


@dataclass(frozen=True, slots=True)
class Bindings:
    """The bindings that one event makes for a formula; `is_cut` says that there were too many."""

    envs: tuple[Env, ...]
    is_cut: bool = False


def bindings(node: Node, context: Context, width: int, bindings_max: int) -> Bindings:
    """Each binding for which `node` may be other than false, as far as the event itself tells.

    `width` is the number of the invariant's variables. Envs may leave slots unbound where the
    node binds nothing there. Order is that of the event's values; there are no repeats.
    """
    envs, is_cut = _bind(node, context, (UNBOUND,) * width, bindings_max)
    return Bindings(tuple(dict.fromkeys(envs)), is_cut)


def _bind(node: Node, context: Context, start: Env, max_: int) -> tuple[list[Env], bool]:
    match node:
        case AtomNode():
            return _bind_atom(node, context.letter[node.predicate], start, max_)
        case AndNode(members):
            return _bind_all(members, context, start, max_)
        case OrNode(members):
            found: list[Env] = []
            is_cut = False
            for member in members:
                more, was_cut = _bind(member, context, start, max_)
                found += more
                is_cut = is_cut or was_cut
            return found[:max_], is_cut or len(found) > max_
        case EndNode():
            return ([start] if context.is_session_end else []), False
        case ComparisonNode("=="):
            return [_unify(node, start)], False
        case _:
            return [start], False


def _bind_all(
    members: tuple[Node, ...], context: Context, start: Env, max_: int
) -> tuple[list[Env], bool]:
    """Join the members: atoms first, then equalities, which only fill what is still unbound."""
    envs, is_cut = [start], False
    for member in members:
        if isinstance(member, ComparisonNode | NotNode | MemoryNode):
            continue
        joined: list[Env] = []
        for env in envs:
            more, was_cut = _bind(member, context, env, max_)
            joined += more
            is_cut = is_cut or was_cut or len(joined) > max_
            if is_cut:
                joined = joined[:max_]
                break
        envs = joined
        if not envs:
            return [], is_cut
    equalities = [m for m in members if isinstance(m, ComparisonNode) and m.operator == "=="]
    for _ in equalities:  # As many rounds as links: then nothing more can be passed on.
        envs = [_unify_all(equalities, env) for env in envs]
    return envs, is_cut


def _bind_atom(atom: AtomNode, fact: Fact, start: Env, max_: int) -> tuple[list[Env], bool]:
    if fact.truth is Truth.FALSE:
        return [], False
    if any(_match(fact, name, wanted) is Truth.FALSE for name, wanted in atom.constants):
        return [], False
    if not atom.slots:
        return [start], False
    choices = [fact.values.get(name, ()) for name, _ in atom.slots]
    envs: list[Env] = []
    for combination in product(*choices):
        env = list(start)
        for (_, slot), chosen in zip(atom.slots, combination, strict=True):
            if env[slot] is not UNBOUND and env[slot] != chosen:
                break
            env[slot] = chosen
        else:
            if len(envs) >= max_:
                return envs, True
            envs.append(tuple(env))
    return envs, False


def _unify_all(equalities: list[ComparisonNode], env: Env) -> Env:
    for node in equalities:
        env = _unify(node, env)
    return env


def _unify(node: ComparisonNode, env: Env) -> Env:
    left = node.left if node.left_slot is None else env[node.left_slot]
    right = node.right if node.right_slot is None else env[node.right_slot]
    filled = list(env)
    if node.left_slot is not None and left is UNBOUND:
        filled[node.left_slot] = right
    if node.right_slot is not None and right is UNBOUND:
        filled[node.right_slot] = left
    return tuple(filled)


def atoms(node: Node) -> Iterator[AtomNode]:
    """The atoms of `node` outside memories."""
    match node:
        case AtomNode():
            yield node
        case AndNode(members) | OrNode(members):
            for member in members:
                yield from atoms(member)
        case NotNode(body):
            yield from atoms(body)
        case _:
            return


def overflows(node: Node, context: Context) -> bool:
    """Whether a list of the event was too long to be kept: it may have named any value."""
    return any(
        name in context.letter[atom.predicate].overflowing
        for atom in atoms(node)
        for name, _ in atom.slots
    )


def value_when_silent(node: Node) -> Truth | None:
    """The truth where no atom holds and no session ends; None where memories decide it."""
    match node:
        case AtomNode() | EndNode():
            return Truth.FALSE
        case NotNode(body):
            inner = value_when_silent(body)
            return None if inner is None else _NEGATION[inner]
        case AndNode(members):
            return _fold_silent(members, Truth.FALSE)
        case OrNode(members):
            return _fold_silent(members, Truth.TRUE)
        case _:
            return None


def _fold_silent(members: tuple[Node, ...], absorbing: Truth) -> Truth | None:
    truths = [value_when_silent(member) for member in members]
    if absorbing in truths:
        return absorbing
    neutral = _NEGATION[absorbing]
    return neutral if all(truth is neutral for truth in truths) else None


def make_term(term: Term, slots: Mapping[str, int]) -> tuple[int | None, Value | None]:
    """A term as (slot, None) for a variable, (None, value) for a constant."""
    match term:
        case Variable(name):
            return slots[name], None
        case Constant(constant):
            return None, constant
        case Anything():
            return None, None
        case _:
            assert_never(term)
