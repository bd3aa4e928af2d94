"""Normalised formulas in the form for evaluation at one moment, for one binding.

A `Node` is a compiled formula: boolean structure over atoms, comparisons, and references to
*memories*, in whose *cells* temporal operators and aggregates keep their state. Evaluation reads
the letter of the moment and the cells as they are *after* the moment; it changes nothing.

A binding is an `Env`: a tuple of values, one for each variable of the invariant in the order of
their names; `UNBOUND` stands for no value, and equals nothing. Truth is 0 false, 1 unknown,
2 true, as in `fact.Truth`: plain integers, since this is the innermost loop of the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..formula.ast import Operator
from ..model.fact import Fact, Value
from ..model.trace_point import TracePoint

if TYPE_CHECKING:
    from .contract import Memory

UNBOUND: Final = None
Env = tuple[Value | None, ...]
Cells = Sequence[Any] | Mapping[int, Any]
"""Cells by the index of their memory."""


@dataclass(frozen=True, slots=True)
class AtomNode:
    """`p(a=1, b=x)`; `constants` and `slots` pair the name of a value with the value it must
    equal.
    """

    predicate: str
    constants: tuple[tuple[str, Value], ...]
    slots: tuple[tuple[str, int], ...]
    has_arguments: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "has_arguments", bool(self.constants or self.slots))

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """True if the predicate is, and each argument equals one of the event's values."""
        fact = now.letter[self.predicate]
        truth: int = fact.truth
        return self.value_of(fact, env) if truth and self.has_arguments else truth

    def value_of(self, fact: Fact, env: Env) -> int:
        """The same, of a fact. A list that was too long may have held any value."""
        truth: int = fact.truth
        values = fact.values
        for name, wanted in self.constants:
            if wanted not in values.get(name, ()):
                if name not in fact.overflowing:
                    return 0
                truth = truth and 1
        for name, slot in self.slots:
            value = env[slot]
            if value is UNBOUND or value not in values.get(name, ()):
                if name not in fact.overflowing:
                    return 0
                truth = truth and 1
        return truth


@dataclass(frozen=True, slots=True)
class EndNode:
    """The event is its session's end."""

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """True at the end; unknown for an unseen event."""
        return 1 if now.is_session_end is None else 2 if now.is_session_end else 0


@dataclass(frozen=True, slots=True)
class ComparisonNode:
    """A side is a variable's slot (int in `left_slot`) or, if that is None, a constant."""

    operator: Operator
    left_slot: int | None
    left: Value | None
    right_slot: int | None
    right: Value | None

    def sides(self, env: Env) -> tuple[Value | None, Value | None]:
        """Both sides' values for a binding."""
        left = self.left if self.left_slot is None else env[self.left_slot]
        right = self.right if self.right_slot is None else env[self.right_slot]
        return left, right

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """Equality of any two values; order of two numbers or two texts, else unknown."""
        left, right = self.sides(env)
        if self.operator in ("==", "!="):
            is_equal = left == right and left is not UNBOUND
            return 2 if is_equal == (self.operator == "==") else 0
        order = _order(left, right)
        if order is None:
            return 1
        holds = {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}
        return 2 if holds[self.operator] else 0


def _order(left: Value | None, right: Value | None) -> int | None:
    """Negative, zero or positive, comparing `left` with `right`; None if they have no order."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return (left > right) - (left < right)
    return None


@dataclass(frozen=True, slots=True)
class NotNode:
    body: Node

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """Kleene's negation."""
        return 2 - self.body.value(now, cells, env)


@dataclass(frozen=True, slots=True)
class AndNode:
    members: tuple[Node, ...]

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """The least of the members."""
        worst = 2
        for member in self.members:
            truth = member.value(now, cells, env)
            if truth < worst:
                if not truth:
                    return 0
                worst = truth
        return worst


@dataclass(frozen=True, slots=True)
class OrNode:
    members: tuple[Node, ...]

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """The greatest of the members."""
        best = 0
        for member in self.members:
            truth = member.value(now, cells, env)
            if truth > best:
                if truth == 2:
                    return 2
                best = truth
        return best


@dataclass(frozen=True, slots=True)
class MemoryNode:
    """The value of a temporal operator or of a compared aggregate, read from its cell."""

    memory: Memory

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """The input of the memory."""
        return self.memory.read(now, cells, env).truth


@dataclass(frozen=True, slots=True)
class ExistsNode:
    """`exists x (body)`: the event at hand gives x its values; outside, its slot is unbound."""

    slot: int
    body: Node
    bindings_max: int

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """The maximum over the values of x; in doubt if the event may have named others."""
        found = self.rows(now, env)
        best = 1 if found.is_cut or overflows(self.body, now) else 0
        for row in found.envs:
            best = max(best, self.body.value(now, cells, row))
        return best

    def rows(self, now: TracePoint, env: Env) -> Bindings:
        """The binding at hand, with each value that the event gives x."""
        envs, is_cut = _bind(self.body, now, env, self.bindings_max)
        return Bindings(list(dict.fromkeys(envs)), is_cut)

    def bind(self, now: TracePoint, start: Env) -> tuple[list[Env], bool]:
        """The variables that the body binds, except x."""
        found = self.rows(now, start)
        slot = self.slot
        outside = [(*row[:slot], UNBOUND, *row[slot + 1 :]) for row in found.envs]
        return list(dict.fromkeys(outside)), found.is_cut


@dataclass(frozen=True, slots=True)
class ConstantNode:
    """The rest of a part whose truth is known (see `folded`): false or true."""

    truth: int

    def value(self, now: TracePoint, cells: Cells, env: Env) -> int:
        """Always the same."""
        return self.truth


FALSE_NODE: Final = ConstantNode(0)
TRUE_NODE: Final = ConstantNode(2)

Node = (
    AtomNode
    | EndNode
    | ComparisonNode
    | NotNode
    | AndNode
    | OrNode
    | ExistsNode
    | MemoryNode
    | ConstantNode
)


class Bindings(NamedTuple):
    """The bindings that one event makes for a formula; `is_cut` means that there were too many."""

    envs: Sequence[Env]
    is_cut: bool = False


_NO_BINDINGS: Final = Bindings(())


@lru_cache(maxsize=64)
def nobody(width: int) -> Bindings:
    """The one binding without a value."""
    return Bindings(((UNBOUND,) * width,))


def bindings(node: Node, now: TracePoint, width: int, bindings_max: int) -> Bindings:
    """Each binding for which `node` may be other than false, as far as the event itself determines.

    `width` is the number of the invariant's variables. Envs may leave slots unbound where the node
    binds nothing there. Their order is that of the event's values; there are no repeats.
    """
    if type(node) is AtomNode and not node.constants:
        fact, slots = now.letter[node.predicate], node.slots
        if not fact.truth:
            return _NO_BINDINGS
        if not slots:
            return nobody(width)
        if len(slots) == 1:
            name, slot = slots[0]
            found = fact.values.get(name, ())
            if width == 1:
                return Bindings([(chosen,) for chosen in found])
            if len(found) <= bindings_max:
                before, after = (UNBOUND,) * slot, (UNBOUND,) * (width - slot - 1)
                return Bindings([(*before, chosen, *after) for chosen in found])
        elif width == len(slots) == 2 and slots[0][1] != slots[1][1]:
            one, other = (fact.values.get(name, ()) for name, _ in slots)
            if len(one) == len(other) == 1:
                pair = (one[0], other[0])
                return Bindings((pair if slots[0][1] == 0 else pair[::-1],))
    envs, is_cut = _bind(node, now, (UNBOUND,) * width, bindings_max)
    if len(envs) > 1:
        envs = list(dict.fromkeys(envs))
    return Bindings(envs, is_cut)


def _bind(node: Node, now: TracePoint, start: Env, max_: int) -> tuple[list[Env], bool]:
    match node:
        case AtomNode():
            return _bind_atom(node, now.letter[node.predicate], start, max_)
        case AndNode(members):
            return _bind_all(members, now, start, max_)
        case OrNode(members):
            found: list[Env] = []
            is_cut = False
            for member in members:
                more, was_cut = _bind(member, now, start, max_)
                found += more
                is_cut = is_cut or was_cut
            return found[:max_], is_cut or len(found) > max_
        case EndNode():
            return ([start] if now.is_session_end else []), False
        case ExistsNode():
            return node.bind(now, start)
        case ComparisonNode("=="):
            return [_unify(node, start)], False
        case _:
            return [start], False


def _bind_all(
    members: tuple[Node, ...], now: TracePoint, start: Env, max_: int
) -> tuple[list[Env], bool]:
    """Join the members: atoms first, then equalities, which only fill unbound slots."""
    envs, is_cut = [start], False
    for member in members:
        if isinstance(member, ComparisonNode | NotNode | MemoryNode):
            continue
        joined: list[Env] = []
        for env in envs:
            more, was_cut = _bind(member, now, env, max_)
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
    if not fact.truth:
        return [], False
    for name, wanted in atom.constants:
        if wanted not in fact.values.get(name, ()) and name not in fact.overflowing:
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
    left, right = node.sides(env)
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
        case NotNode(body) | ExistsNode(body=body):
            yield from atoms(body)
        case _:
            return


def memories(node: Node) -> Iterator[Memory]:
    """The memories that `node` reads, outside other memories."""
    match node:
        case MemoryNode(memory):
            yield memory
            yield from memory.beside
        case AndNode(members) | OrNode(members):
            for member in members:
                yield from memories(member)
        case NotNode(body) | ExistsNode(body=body):
            yield from memories(body)
        case _:
            return


def overflows(node: Node, now: TracePoint) -> bool:
    """True if a list of the event was too long to be kept: it may have named any value."""
    for atom in (node,) if type(node) is AtomNode else atoms(node):
        if atom.slots:
            overflowing = now.letter[atom.predicate].overflowing
            if overflowing and any(name in overflowing for name, _ in atom.slots):
                return True
    return False
