"""An untimed invariant without variables as an explicit, minimal automaton, to be looked at.

Input: a checked invariant. Output: states and moves on letters (which atoms are true of an event,
each true or false; unknowns are left out), and which moves are violations. It is made for drawing:
the machine steps sub-formulas and never sees it. That it gives the verdicts of the definition is
held by tests/laws/test_automaton.py.

Method: past operators are bits, stepped bottom-up, `once f` as itself or f, `f since g` as g or
itself and f, `previous f` as f of the event before; a future operator is one bit more, whether a
verdict waits for it. All states that can be reached are gathered breadth first, and merged by
partition refinement (Moore 1956).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ..check.normal_form import conjuncts, free_variables, violating_formula
from ..formula.ast import (
    FUTURE_OPERATORS,
    UNBOUNDED,
    Anything,
    Atom,
    Binary,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Until,
)
from ..spec.model import InvariantSpec
from .event_domain import ANYTHING, SESSION_END, Asked

STATES_MAX: Final = 32  # Chosen: a person can follow this many on one page.
REACHED_MAX: Final = 2_048  # Chosen: states before they are merged.
ATOMS_MAX: Final = 8  # Chosen: 256 letters; a condition over more atoms is not readable.
STEPS_MAX: Final = 100_000  # Chosen: about a second.

Letter = int
"""Bit i is the truth of atom i."""


@dataclass(frozen=True, slots=True)
class ExplicitAutomaton:
    """States count from 0, the initial one. `moves[state][letter]` is the successor."""

    atoms: tuple[Formula, ...]
    letters: tuple[Letter, ...]
    """The possible letters: `p(v=1)` is never true if `p` is not, and an event has only one
    kind.
    """
    memories: tuple[Formula, ...]
    """The memories in a state, by the bits of `vectors`."""
    is_waiting_kept: bool
    """True if one more bit, the highest, marks a pending verdict."""
    vectors: tuple[tuple[int, ...], ...]
    """By state: the memories that were merged in it."""
    moves: tuple[dict[Letter, Move], ...]


@dataclass(frozen=True, slots=True)
class Move:
    """The successor after an event, and a flag for a verdict of `violated` at it."""

    target: int
    is_violation: bool


def explicit_automaton(
    invariant: InvariantSpec,
    states_max: int = STATES_MAX,
    asked: Mapping[str, Asked] = MappingProxyType({}),
) -> ExplicitAutomaton | None:
    """The automaton; None if the invariant has variables, windows or aggregates, or too many
    states. `asked` gives the events of which the predicates can be true; without it they are free.
    """
    formula = violating_formula(invariant)
    if free_variables(formula) or not all(map(_is_plain, _subformulas(formula))):
        return None
    stepper = _Stepper(formula, asked)
    letters_count = 1 << len(stepper.atoms)
    if len(stepper.atoms) > ATOMS_MAX:
        return None
    letters = tuple(letter for letter in range(letters_count) if stepper.is_possible(letter))
    reached = _reach(stepper, letters)
    return None if reached is None else _merged(stepper, letters, reached, states_max)


def _is_plain(formula: Formula) -> bool:
    match formula:
        case Atom() | SessionEnd() | Not() | Binary():
            return True
        case Temporal(operator, window) if operator in ("once", "previous"):
            return window == UNBOUNDED
        case Temporal(operator, window) | Until(operator, window):
            is_known = operator in FUTURE_OPERATORS or operator == "since"
            return is_known and window == UNBOUNDED
        case _:
            return False


def _subformulas(formula: Formula) -> Iterator[Formula]:
    """All of them, inner ones first."""
    match formula:
        case Not(body) | Temporal(_, _, body):
            yield from _subformulas(body)
        case Binary(_, left, right) | Until(_, _, left, right):
            yield from _subformulas(left)
            yield from _subformulas(right)
    yield formula


class _Stepper:
    """A normalised violating formula, with a number for each atom and each past operator."""

    def __init__(self, violating: Formula, asked: Mapping[str, Asked]) -> None:
        self.past, self.future, self.is_violated_by = _split(violating)
        parts = list(dict.fromkeys(_without_anything(f) for f in _subformulas(violating)))
        self.atoms: tuple[Formula, ...] = tuple(f for f in parts if isinstance(f, Atom))
        if self.future is not None or SessionEnd() in parts:
            self.atoms += (SessionEnd(),)
        self.memories = tuple(
            f
            for f in parts
            if isinstance(f, Temporal | Until) and f.operator not in FUTURE_OPERATORS
        )
        self.bit_of = {f: 1 << index for index, f in enumerate(self.atoms)}
        self.waiting = 1 << len(self.memories)
        self.asked = {
            f: asked.get(f.predicate, ANYTHING) if isinstance(f, Atom) else SESSION_END
            for f in self.atoms
        }

    def is_possible(self, letter: Letter) -> bool:
        """True if an event can satisfy exactly these atoms."""
        event = ANYTHING
        for atom, bit in self.bit_of.items():
            event = event.both(self.asked[atom]) if letter & bit else event
        end = self.bit_of.get(SessionEnd(), letter)
        if not event.is_possible or (event.kinds == SESSION_END.kinds and not letter & end):
            return False
        # No atom is true that another one, which is false, would have to be true for.
        return not any(
            letter & self.bit_of[tighter] and not letter & self.bit_of[looser]
            for tighter in self.atoms
            for looser in self.atoms
            if isinstance(tighter, Atom) and isinstance(looser, Atom) and _follows(tighter, looser)
        )

    def step(self, vector: int, letter: Letter) -> tuple[int, bool]:
        """The memories after an event, and a flag for a violation."""
        now: dict[Formula, bool] = {}
        after = 0
        for index, memory in enumerate(self.memories):
            held = bool(vector >> index & 1)
            match memory:
                case Until(_, _, left, right):
                    kept = held and self.value(left, letter, now)
                    now[memory] = self.value(right, letter, now) or kept
                    after |= now[memory] << index
                case Temporal("once", _, body):
                    now[memory] = held or self.value(body, letter, now)
                    after |= now[memory] << index
                case Temporal(_, _, body):  # `previous`: others are not plain.
                    now[memory] = held
                    after |= self.value(body, letter, now) << index
        is_raised = self.value(self.past, letter, now)
        if self.future is None:
            return after, is_raised
        is_waiting, is_violation = self._await(
            self.future, bool(vector & self.waiting), is_raised, letter, now
        )
        return after | is_waiting * self.waiting, is_violation

    def _await(
        self,
        future: Temporal | Until,
        is_waiting: bool,
        is_raised: bool,
        letter: Letter,
        now: dict[Formula, bool],
    ) -> tuple[bool, bool]:
        """A flag for a pending verdict after the event, and one for a verdict decided as
        violated.
        """
        body = future.right if isinstance(future, Until) else future.body
        is_met = self.value(body, letter, now)
        is_end = bool(letter & self.bit_of[SessionEnd()])
        if future.operator == "next":
            decided = {is_met} if is_waiting else set()
            decided |= {False} if is_raised and is_end else set()
            return is_raised and not is_end, self.is_violated_by in decided
        if not is_waiting and not is_raised:
            return False, False
        is_broken = isinstance(future, Until) and not self.value(future.left, letter, now)
        is_decided = is_met or is_broken or is_end
        return not is_decided, is_decided and is_met == self.is_violated_by

    def value(self, formula: Formula, letter: Letter, now: dict[Formula, bool]) -> bool:
        match formula:
            case Not(body):
                return not self.value(body, letter, now)
            case Binary("and", left, right):
                return self.value(left, letter, now) and self.value(right, letter, now)
            case Binary("or", left, right):
                return self.value(left, letter, now) or self.value(right, letter, now)
            case Temporal() | Until():
                return now[_without_anything(formula)]
        return bool(letter & self.bit_of[_without_anything(formula)])


def _split(violating: Formula) -> tuple[Formula, Temporal | Until | None, bool]:
    """P, F and true of `P and F`; P, F and false of `P and not F`; else the whole and none."""
    members = list(conjuncts(violating))
    for index, member in enumerate(members):
        body = member.body if isinstance(member, Not) else member
        if isinstance(body, Temporal | Until) and body.operator in FUTURE_OPERATORS:
            past, *others = members[:index] + members[index + 1 :]
            for other in others:
                past = Binary("and", past, other)
            return past, body, not isinstance(member, Not)
    return violating, None, False


def _without_anything(formula: Formula) -> Formula:
    """`p(v=_)` is `p`."""
    match formula:
        case Atom(predicate, arguments, place):
            kept = tuple(a for a in arguments if not isinstance(a[1], Anything))
            return Atom(predicate, kept, place)
        case Not(body, place):
            return Not(_without_anything(body), place)
        case Binary(operator, left, right, place):
            return Binary(operator, _without_anything(left), _without_anything(right), place)
        case Temporal(name, window, body, place):
            return Temporal(name, window, _without_anything(body), place)
        case Until(word, window, left, right, place):
            return Until(word, window, _without_anything(left), _without_anything(right), place)
    return formula


def _follows(tighter: Atom, looser: Atom) -> bool:
    return tighter.predicate == looser.predicate and set(looser.arguments) < set(tighter.arguments)


_Raw = dict[int, dict[Letter, tuple[int, bool]]]


def _reach(stepper: _Stepper, letters: tuple[Letter, ...]) -> _Raw | None:
    reached: _Raw = {}
    waiting = deque([0])
    seen = {0}
    while waiting:
        vector = waiting.popleft()
        if len(seen) > REACHED_MAX or (len(reached) + 1) * len(letters) > STEPS_MAX:
            return None
        reached[vector] = {letter: stepper.step(vector, letter) for letter in letters}
        for after, _ in reached[vector].values():
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return reached


def _merged(
    stepper: _Stepper, letters: tuple[Letter, ...], reached: _Raw, states_max: int
) -> ExplicitAutomaton | None:
    """The classes of states that no trace distinguishes, numbered in the order of discovery."""
    block = dict.fromkeys(reached, 0)
    blocks_count = 0
    while len(set(block.values())) > blocks_count:
        blocks_count = len(set(block.values()))
        numbers: dict[object, int] = {}
        signatures = {
            vector: (block[vector], tuple((block[after], bad) for after, bad in moves.values()))
            for vector, moves in reached.items()
        }
        for signature in signatures.values():
            numbers.setdefault(signature, len(numbers))
        block = {vector: numbers[signature] for vector, signature in signatures.items()}
    if blocks_count > states_max:
        return None
    vectors: dict[int, list[int]] = {}
    for vector in reached:  # Breadth first, and so are the numbers given above.
        vectors.setdefault(block[vector], []).append(vector)
    moves = tuple(
        {letter: Move(block[after], bad) for letter, (after, bad) in reached[held[0]].items()}
        for held in vectors.values()
    )
    merged = tuple(tuple(sorted(held)) for held in vectors.values())
    kept = stepper.future is not None
    return ExplicitAutomaton(stepper.atoms, letters, stepper.memories, kept, merged, moves)
