"""Verdicts that wait for the future: the anchors of `P and not F` (or `P and F`).

An anchor is an event and binding at which P is not false. F is `next[w] f`, or `g until[w] f` of
which `eventually[w] f` is the one without a left side; `always[w] f` is `not eventually[w] not f`.
An anchor is decided as soon as the events so far leave the violating formula no choice: by an
event, when time has passed its deadline, or at the end of the session. A deadline is decided after
all events of its time.

For F at an anchor two numbers are kept: `met`, its value from the events so far, and `still`, the
best value that a later event could give. Its final value is between `met` and the greater of the
two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..formula.ast import Window
from ..model.fact import NO_FACT
from ..model.limits import Limits
from ..model.trace_point import TracePoint
from ..model.verdict import Absence, EventRef, Witness
from .codec import Reader, Writer, by_key, put_values, take_values
from .contract import Key, env_of, key_of, ref_of
from .fifo import Fifo, fifo
from .keyed import EMPTY_KEYED, STALE_MAX, Keyed, keyed
from .nodes import FALSE_NODE, TRUE_NODE, UNBOUND, Cells, Env, Node, atoms, bindings, overflows
from .specialise import Known, folded
from .witness import grounds

NO_WITNESS: Final = Witness()
"""Of a verdict that holds: nobody is shown one."""


class Anchor(NamedTuple):
    """One pending verdict: its event, its binding, P's truth there, and P's witness."""

    ref: EventRef
    env: Env
    truth: int
    witness: Witness
    met: int = 0
    still: int = 2
    doubt: EventRef | None = None
    """The last event that made `met` or `still` unknown."""


class Decision(NamedTuple):
    """An anchor whose value is known: the truth of the violating formula, and its time."""

    anchor: Anchor
    truth: int
    decided_ns: int
    witness: Witness


Anchors = tuple[Anchor, ...]
"""Of one binding, oldest first."""


class PendingCell(NamedTuple):
    """Anchors by the binding of F's variables, with their deadlines in order."""

    waiting: Keyed[Anchors] = EMPTY_KEYED
    waiting_count: int = 0

    @property
    def anchors(self) -> Mapping[Key, Anchors]:
        """Those of each binding."""
        return self.waiting.held

    @property
    def due_ns(self) -> int | None:
        """A time before which no deadline passes; None without a deadline."""
        return self.waiting.due_ns


EMPTY_PENDING: Final = PendingCell()


@dataclass(frozen=True, slots=True)
class Future:
    """`left until[window] body` at the top of an invariant; `is_next`: of the neighbour alone."""

    text: str
    undoing_text: str
    """The condition that must not occur while `until` waits: the left side's negation, or empty."""
    window: Window
    left: Node | None
    body: Node
    is_next: bool
    is_violated_by: bool
    """The violating formula is `P and F`; otherwise it is `P and not F`."""
    slots: tuple[int, ...]
    width: int
    limits: Limits
    names_every_key: bool
    """Each atom of `left` names all of `slots`: then the anchors that an event touches can be
    looked up."""

    def take_in(self, cell: PendingCell, anchor: Anchor) -> PendingCell | None:
        """The cell with one more anchor; None if there is no room for it."""
        if cell.waiting_count >= self.limits.pending_max:
            return None
        key, waiting = key_of(anchor.env, self.slots), cell.waiting
        high_ns = self.window.high_ns
        others = waiting.held.get(key)
        waiting = waiting.changed(key, (anchor,) if others is None else (*others, anchor))
        count = cell.waiting_count + 1
        if high_ns is None:
            return PendingCell(waiting, count)
        queue = waiting.queue.append((anchor.ref.time_ns + high_ns, key))
        if queue.end - queue.first > 2 * count + STALE_MAX:
            # Deadlines of anchors that were decided early are dropped before they outgrow others.
            queue = self._deadlines(waiting.held)
        return PendingCell(Keyed(waiting.held, queue), count)

    def _deadlines(self, anchors: Mapping[Key, Anchors]) -> Fifo[tuple[int, Key]]:
        width_ns = self.window.high_ns
        assert width_ns is not None, "only windows that end have a queue"
        due = [(a.ref.time_ns + width_ns, key) for key, held in anchors.items() for a in held]
        return fifo(sorted(due, key=_time))

    def pass_time(self, cell: PendingCell, now_ns: int) -> tuple[PendingCell, list[Decision]]:
        """Decide every deadline before `now_ns`."""
        decisions: list[Decision] = []
        passed, queue = cell.waiting.queue.older_than(now_ns)
        cell = PendingCell(cell.waiting._replace(queue=queue), cell.waiting_count)
        width_ns = self.window.high_ns
        for deadline_ns, key in passed:
            assert width_ns is not None, "only windows that end have a queue"
            held = cell.anchors.get(key, ())
            due = [a for a in held if a.ref.time_ns + width_ns <= deadline_ns]
            decisions += (self._over(anchor, deadline_ns) for anchor in due)
            cell = self._without(cell, key, due)
        return cell, sorted(decisions, key=_by_deadline)

    def given_up(
        self, cell: PendingCell, now_ns: int, sure_ns: int
    ) -> tuple[PendingCell, list[Decision]]:
        """The cell without the anchors whose distance from now is not known, and those as unknown.

        The distance is known for those up to `sure_ns`, if the window has no lower bound: the next
        event is then as late as stated, or earlier.
        """
        decisions: list[Decision] = []
        for key, held in list(cell.anchors.items()):
            gone = [a for a in held if self.window.low_ns or a.ref.time_ns > sure_ns]
            decisions += (Decision(a, 1, now_ns, self._doubtful(a)) for a in gone)
            cell = self._without(cell, key, gone)
        if not cell.anchors:
            return EMPTY_PENDING, sorted(decisions, key=_in_order)
        return cell, sorted(decisions, key=_in_order)

    def observe(
        self, cell: PendingCell, now: TracePoint, cells: Cells
    ) -> tuple[PendingCell, list[Decision]]:
        """Apply the event to the anchors that it touches; returns those that it decides."""
        decisions: list[Decision] = []
        for key in self._touched_keys(cell, now, cells) if cell.anchors else ():
            env = env_of(key, self.slots, self.width)
            right = self.body.value(now, cells, env)
            left = 2 if self.left is None else self.left.value(now, cells, env)
            if not (right or self.is_next) and left == 2:
                continue
            changed: list[Anchor] = []
            for anchor in cell.anchors[key]:
                after = self._moved(anchor, now, right, left)
                decision = self._decided(after, now, cells)
                if decision is None:
                    changed.append(after)
                else:
                    decisions.append(decision)
            cell = self._with(cell, key, tuple(changed))
        if len(decisions) > 1:
            decisions.sort(key=_in_order)
        return cell, decisions

    def _moved(self, anchor: Anchor, now: TracePoint, right: int, left: int) -> Anchor:
        """The anchor after an event at which the two sides have these values."""
        met, still, doubt = anchor.met, anchor.still, anchor.doubt
        is_own = anchor.ref.position == now.position
        if self.is_next and is_own:
            return anchor
        here = ref_of(now) if right == 1 or left == 1 else None
        if now.time_ns - anchor.ref.time_ns >= self.window.low_ns:
            gained = min(still, right)
            if gained > met:
                met = gained
                doubt = here if gained == 1 and right == 1 else doubt
            elif gained == met == 1 and right == 1:
                doubt = here
        if left < still:
            still, doubt = left, here if left == 1 else doubt
        ref, env, truth, witness, *_ = anchor
        return Anchor(ref, env, truth, witness, met, 0 if self.is_next else still, doubt)

    def _decided(self, anchor: Anchor, now: TracePoint, cells: Cells) -> Decision | None:
        """The verdict, if every possible value of F gives the same."""
        truth = self._violation(anchor, anchor.met)
        if truth != self._violation(anchor, max(anchor.met, anchor.still)):
            return None
        if truth == 0:
            return Decision(anchor, 0, now.time_ns, NO_WITNESS)
        here = ref_of(now)
        if truth == 1 or anchor.met == 1:
            return Decision(anchor, truth, now.time_ns, self._doubtful(anchor))
        node = self.body if anchor.met or self.left is None else self.left
        found = grounds(node, now, cells, anchor.env).witness()
        events = {*anchor.witness.events, *found.events, here}
        absences = [*anchor.witness.absences, *found.absences]
        absences += self._absences(anchor, here)
        unknowns = {*anchor.witness.unknowns, *found.unknowns}
        witness = Witness(
            tuple(sorted(events)), tuple(dict.fromkeys(absences)), tuple(sorted(unknowns))
        )
        return Decision(anchor, truth, now.time_ns, witness)

    def _absences(self, anchor: Anchor, here: EventRef) -> list[Absence]:
        """The absences up to the deciding event."""
        own, from_ns = anchor.ref, anchor.ref.time_ns + self.window.low_ns
        if anchor.met:
            # It occurred, and the condition that must not precede it did not.
            is_kept = bool(self.undoing_text) and own.position != here.position
            text, to_ns = self.undoing_text, here.time_ns
            return [Absence(text, own.time_ns, to_ns, first=own, before=here)] if is_kept else []
        if from_ns > here.time_ns:
            return []
        first = here if self.is_next else own
        return [Absence(self.text, from_ns, here.time_ns, first=first, last=here)]

    def _violation(self, anchor: Anchor, value: int) -> int:
        """The violating formula's truth were F's value this."""
        return min(anchor.truth, value if self.is_violated_by else 2 - value)

    def _over(self, anchor: Anchor, decided_ns: int) -> Decision:
        """The wait is over: the current `met` is F's value."""
        truth = self._violation(anchor, anchor.met)
        if truth == 0:
            return Decision(anchor, 0, decided_ns, NO_WITNESS)
        if anchor.met:
            return Decision(anchor, truth, decided_ns, self._doubtful(anchor))
        own, from_ns = anchor.ref, anchor.ref.time_ns + self.window.low_ns
        after, first = (own, None) if self.is_next else (None, own)
        # A session can end before the window of the awaited event begins.
        to_ns = max(from_ns, decided_ns)
        absence = Absence(self.text, from_ns, to_ns, after=after, first=first)
        held = anchor.witness
        witness = Witness(held.events, (*held.absences, absence), held.unknowns)
        return Decision(anchor, truth, decided_ns, witness)

    @staticmethod
    def _doubtful(anchor: Anchor) -> Witness:
        held = anchor.witness
        unknowns = held.unknowns if anchor.doubt is None else (*held.unknowns, anchor.doubt)
        return Witness(held.events, held.absences, tuple(dict.fromkeys(unknowns)))

    def end(self, cell: PendingCell, now_ns: int) -> tuple[PendingCell, list[Decision]]:
        """Decide everything on the current trace."""
        decisions = [self._over(a, now_ns) for held in cell.anchors.values() for a in held]
        return (EMPTY_PENDING if decisions else cell), sorted(decisions, key=_in_order)

    def is_touched(self, known: Known, is_end: bool) -> bool:
        """True if an event with these known facts can decide anything."""
        if is_end or self.is_next or folded(self.body, known, is_end) is not FALSE_NODE:
            return True
        return self.left is not None and folded(self.left, known, is_end) is not TRUE_NODE

    def _touched_keys(self, cell: PendingCell, now: TracePoint, cells: Cells) -> Iterable[Key]:
        """The bindings for which the event may determine F."""
        if self.is_next or overflows(self.body, now):
            return list(cell.anchors)
        found = bindings(self.body, now, self.width, self.limits.bindings_max)
        if found.is_cut:
            return list(cell.anchors)
        keys = dict.fromkeys([key_of(env, self.slots) for env in found.envs])
        if self.left is not None:
            if self.left.value(now, cells, (UNBOUND,) * self.width) != 2:
                return list(cell.anchors)
            spoken = [a for a in atoms(self.left) if a.slots]
            for atom in (a for a in spoken if now.letter[a.predicate] is not NO_FACT):
                if not self.names_every_key or overflows(atom, now):
                    return list(cell.anchors)
                named = bindings(atom, now, self.width, self.limits.bindings_max)
                if named.is_cut:
                    return list(cell.anchors)
                keys.update(dict.fromkeys(key_of(env, self.slots) for env in named.envs))
        return [key for key in keys if key in cell.anchors]

    def _without(self, cell: PendingCell, key: Key, decided: Iterable[Anchor]) -> PendingCell:
        gone = set(decided)
        if not gone:
            return cell
        return self._with(cell, key, tuple(a for a in cell.anchors[key] if a not in gone))

    @staticmethod
    def _with(cell: PendingCell, key: Key, kept: Anchors) -> PendingCell:
        waiting = cell.waiting
        gone_count = len(waiting.held[key]) - len(kept)
        if gone_count == cell.waiting_count:
            return EMPTY_PENDING
        waiting = waiting.changed(key, kept) if kept else waiting.without(key)
        return PendingCell(waiting, cell.waiting_count - gone_count)

    def encode(self, cell: PendingCell, out: Writer) -> Any:
        """Its anchors, in the order of their keys; deadlines follow from them."""
        return [
            [key, [_put_anchor(anchor, out) for anchor in held]]
            for key, held in by_key(cell.anchors)
        ]

    def decode(self, data: Any, source: Reader) -> PendingCell:
        """Its anchors."""
        anchors = {
            take_values(key): tuple(_take_anchor(anchor, source) for anchor in held)
            for key, held in data
        }
        waiting = keyed(anchors, 0, None)
        if self.window.high_ns is not None:
            waiting = waiting._replace(queue=self._deadlines(anchors))
        return PendingCell(waiting, sum(map(len, anchors.values())))


def _put_anchor(anchor: Anchor, out: Writer) -> Any:
    return [
        out.ref(anchor.ref),
        put_values(anchor.env),
        anchor.truth,
        out.witness(anchor.witness),
        anchor.met,
        anchor.still,
        out.maybe_ref(anchor.doubt),
    ]


def _take_anchor(data: Any, source: Reader) -> Anchor:
    ref, env, truth, witness, met, still, doubt = data
    return Anchor(
        source.ref(ref),
        take_values(env),
        truth,
        source.witness(witness),
        met,
        still,
        source.maybe_ref(doubt),
    )


def _time(item: tuple[int, Key]) -> int:
    return item[0]


def _by_deadline(decision: Decision) -> tuple[int, EventRef, str]:
    return decision.decided_ns, *_in_order(decision)


def _in_order(decision: Decision) -> tuple[EventRef, str]:
    """By anchor: the order of a map is not the same in every process."""
    return decision.anchor.ref, str(decision.anchor.env)
