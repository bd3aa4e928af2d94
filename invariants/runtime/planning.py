"""Plans: what an event of a kind and tool can concern, found once and remembered.

Agents choose the names of tools. Most invented names are alike in that the same predicates are
decided by them, with the same truth: such names have one `Shape`. So a new name costs the parts of
predicates that read names, and finds the rest by the truths.

At an event the truths of the other predicates are known too. They find the invariants that the
event really concerns, and the part of each that it has to pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from ..cel.fold import KindAndTool, Leaf
from ..model.fact import NO_FACT, Fact
from ..spec.model import Per
from .data_source import Showing
from .machine_state import Route
from .plan import (
    LIVE_TRUTHS,
    PLANS_MAX,
    ROUTES_MAX,
    Concerned,
    Facts,
    KnownTruths,
    Plan,
    Read,
    Shape,
    Vector,
    budget,
    doubt_of,
    live_truths,
)
from .predicate import Predicate
from .stepper import Stepper

_FALSE: Final = 0
_TRUE: Final = 1
"""Settled: true of all such events, without a value."""
_VALUED: Final = 2
"""Settled: true, with values that the name of the tool decides."""
_OPEN: Final = 3
"""It must be evaluated."""
_OPEN_VALUES: Final = 4
"""True; its values must be evaluated."""
_WITH_VALUES: Final = frozenset({_VALUED, _OPEN_VALUES})
_KNOWN: Final[tuple[bool | None, ...]] = (False, True, None, None, None)

CONCERNS_MAX: Final = 2_048
"""Chosen: truths of an event's predicates that are remembered, each with the invariants that it
concerns, at most a few kilobytes. Recorded sessions have some dozens."""

Codes = tuple[int, ...]
"""For each predicate what kind and tool decide of it."""

Decided = tuple[Codes, tuple[Fact, ...]]
"""These, and the facts of those that are settled."""


class Planner:
    """The plans of the invariants of one kind of scope, and the numbers of their predicates."""

    def __init__(
        self,
        automata: Sequence[tuple[Stepper, int]],
        predicates: Sequence[Mapping[str, Predicate]],
        sources: Sequence[Showing],
        per: Per,
    ) -> None:
        """`automata` are those about the kind of scope, each with the index of its file.

        `predicates` are those of each file that invariants about any kind of scope name.
        """
        self._predicates: list[Predicate] = []
        self._files: list[tuple[int, tuple[str, ...]]] = []
        numbers: list[dict[str, int]] = []
        for file in predicates:
            kept = tuple(file)
            first = len(self._predicates)
            self._files.append((first, kept))
            self._predicates += (file[name] for name in kept)
            numbers.append({name: first + place for place, name in enumerate(kept)})
        self._automata = tuple(automaton for automaton, _ in automata)
        self._reads = tuple(
            tuple(numbers[file_index][name] for name in automaton.tables.predicates)
            for automaton, file_index in automata
        )
        self._sources, self._per = sources, per
        leaves = [leaf for one in self._predicates for leaf in one.leaves if leaf.reads_tool]
        self._leaves: tuple[Leaf, ...] = tuple(
            {
                id(leaf) if leaf.number is None else -1 - leaf.number: leaf for leaf in leaves
            }.values()
        )
        self._decided: dict[tuple[str, tuple[bool | None, ...]], Decided] = {}
        self.plan = lru_cache(PLANS_MAX)(self._plan)
        self._shape = lru_cache(PLANS_MAX)(self._made_shape)
        self._recent_routes = lru_cache(ROUTES_MAX)(self._route)
        self._recent_concerns = lru_cache(CONCERNS_MAX)(self._concerns)

    def letter(self, file_index: int, facts: Vector) -> Facts:
        """The facts of one file's predicates, by name."""
        first, names = self._files[file_index]
        return dict(zip(names, facts[first : first + len(names)], strict=True))

    def concerned(self, plan: Plan, facts: Vector) -> Concerned:
        """The invariants that an event with these facts concerns.

        Cost: one look-up for facts whose truths were met before; else one for each invariant that
        kind and tool leave open.
        """
        shape = plan.shape
        return self._recent_concerns(shape, live_truths(shape, facts))

    def _plan(self, kind: str, tool: str) -> Plan:
        call = KindAndTool(kind, tool)
        # What is decided depends on the kind and the truth of the leaves that read the tool.
        truths = kind, tuple([leaf.truth(call) for leaf in self._leaves])
        decided = self._decided.get(truths)
        if decided is None:
            if len(self._decided) >= PLANS_MAX:
                self._decided.clear()
            decided = self._decided[truths] = self._decide(call)
        codes, settled = decided
        valued = [number for number, code in enumerate(codes) if code in _WITH_VALUES]
        if valued:
            # The values, and whether they are short enough to be kept, differ from tool to tool.
            own_codes, own_settled = list(codes), list(settled)
            for number in valued:
                own_codes[number], own_settled[number] = self._code(number, call)
            codes, settled = tuple(own_codes), tuple(own_settled)
        return Plan(
            self._shape(codes, self._is_end(kind)),
            settled,
            tuple(
                place
                for place, source in enumerate(self._sources)
                if source.is_concerned(kind, tool)
            ),
            call.of_call,
        )

    def _decide(self, call: KindAndTool) -> Decided:
        """For each predicate what kind and tool decide of it, and its fact."""
        found = [self._code(number, call) for number in range(len(self._predicates))]
        return tuple(code for code, _ in found), tuple(fact for _, fact in found)

    def _code(self, number: int, call: KindAndTool) -> tuple[int, Fact]:
        predicate = self._predicates[number]
        planned = predicate.planned(call)
        if not isinstance(planned, Fact):
            return (_OPEN if planned == predicate.fact else _OPEN_VALUES), NO_FACT
        if not planned.truth:
            return _FALSE, planned
        return (_VALUED if planned.values else _TRUE), planned

    def _is_end(self, kind: str) -> bool:
        """True if an event of this kind is the end of the trace; wider scopes have none."""
        return kind == "session.ended" and self._per == "session"

    def _made_shape(self, codes: Codes, is_end: bool) -> Shape:
        live: list[tuple[int, Read]] = []
        for number, code in enumerate(codes):
            if code >= _OPEN:
                predicate = self._predicates[number]
                live.append((number, predicate.fact if code == _OPEN else predicate.valued))
        known = tuple(_KNOWN[code] for code in codes)
        concerned = self._routed(range(len(self._automata)), known, is_end)
        return Shape(
            live=tuple(live),
            doubts=tuple((number, doubt_of(self._predicates[number])) for number, _ in live),
            known=known,
            concerned=concerned,
            steps_max=budget(len(live)),
            is_end=is_end,
        )

    def _concerns(self, shape: Shape, truths: bytes) -> Concerned:
        """Of the invariants that kind and tool leave open, those that the truths leave open too."""
        known = list(shape.known)
        for (number, _), truth in zip(shape.live, truths, strict=True):
            known[number] = LIVE_TRUTHS[truth]
        found: list[tuple[int, Route]] = []
        for index, planned in shape.concerned:
            if self._automata[index].tables.is_large:
                found.append((index, planned))
            else:
                found += self._routed([index], known, shape.is_end)
        return tuple(found)

    def _routed(
        self, indices: Sequence[int], known: Sequence[bool | None], is_end: bool
    ) -> Concerned:
        routes = (
            (index, self._recent_routes(index, tuple(known[n] for n in self._reads[index]), is_end))
            for index in indices
        )
        return tuple((index, route) for index, route in routes if route is not None)

    def _route(self, index: int, truths: KnownTruths, is_end: bool) -> Route | None:
        automaton = self._automata[index]
        named = zip(automaton.tables.predicates, truths, strict=True)
        known = {name: truth for name, truth in named if truth is not None}
        return automaton.route(known, is_end=is_end)
