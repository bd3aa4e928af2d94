"""Verdicts that wait for the future: the anchors of `P and not eventually[a, b] f`.

An anchor is an event and binding at which P is not false. It is decided as soon as the events so
far leave its value no choice: when f holds in its window, when time has passed its deadline, or
at the end of the session. A deadline is decided after all events of its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pyrsistent import PMap, pmap

from .core import FALSE_NODE, Cells, Env, Node, bindings, overflows
from .fifo import EMPTY_FIFO, Fifo, fifo
from .folding import Known, folded
from .formula.ast import Window
from .keys import Key, key_of
from .limits import Limits
from .moment import Moment
from .verdict import Absence, EventRef, Witness


class Anchor(NamedTuple):
    """One pending verdict: its event, its binding, P's truth there, and P's witness."""

    ref: EventRef
    env: Env
    truth: int
    witness: Witness
    doubt: EventRef | None = None
    """The last event inside the window at which f was unknown."""


class Decision(NamedTuple):
    """An anchor whose value is known: the truth of the violating formula, and when it was."""

    anchor: Anchor
    truth: int
    decided_ns: int
    witness: Witness


class PendingCell(NamedTuple):
    """Anchors by the binding of f's variables, oldest first; and their deadlines, in order."""

    anchors: PMap[Key, tuple[Anchor, ...]]
    queue: Fifo[tuple[int, Key]]
    waiting_count: int = 0


EMPTY_PENDING = PendingCell(pmap(), EMPTY_FIFO)


@dataclass(frozen=True, slots=True)
class Eventually:
    """`eventually[window] body` at the top of an invariant."""

    text: str
    window: Window
    body: Node
    slots: tuple[int, ...]
    width: int
    limits: Limits

    def take_in(self, cell: PendingCell, anchor: Anchor) -> PendingCell | None:
        """The cell with one more anchor; None where there is no room for it."""
        if cell.waiting_count >= self.limits.pending_max:
            return None
        key = key_of(anchor.env, self.slots)
        anchors = cell.anchors.set(key, (*cell.anchors.get(key, ()), anchor))
        queue = cell.queue
        if self.window.high_ns is not None:
            queue = queue.append((anchor.ref.time_ns + self.window.high_ns, key))
        return self._compacted(PendingCell(anchors, queue, cell.waiting_count + 1))

    def _compacted(self, cell: PendingCell) -> PendingCell:
        """Drop deadlines of anchors that were decided early, before they outgrow the others."""
        if cell.queue.length <= 2 * cell.waiting_count + 64:
            return cell
        width_ns = self.window.high_ns
        assert width_ns is not None, "only windows that end have a queue"
        due = [(a.ref.time_ns + width_ns, k) for k, held in cell.anchors.items() for a in held]
        return cell._replace(queue=fifo(sorted(due, key=lambda item: item[0])))

    def next_deadline_ns(self, cell: PendingCell) -> int | None:
        """A time before which no deadline passes."""
        return cell.queue.oldest()[0] if cell.queue.length else None

    def pass_time(self, cell: PendingCell, now_ns: int) -> tuple[PendingCell, list[Decision]]:
        """Decide every deadline before `now_ns`."""
        decisions: list[Decision] = []
        while cell.queue.length and cell.queue.oldest()[0] < now_ns:
            deadline_ns, key = cell.queue.oldest()
            width_ns = self.window.high_ns
            assert width_ns is not None, "only windows that end have a queue"
            held = cell.anchors.get(key, ())
            due = [a for a in held if a.ref.time_ns + width_ns <= deadline_ns]
            decisions += (self._unmet(anchor, deadline_ns) for anchor in due)
            cell = self._without(cell._replace(queue=cell.queue.popleft()), key, due)
        return cell, decisions

    def observe(
        self, cell: PendingCell, now: Moment, cells: Cells
    ) -> tuple[PendingCell, list[Decision]]:
        """Apply what the event says of f to the anchors whose window it lies in."""
        decisions: list[Decision] = []
        found = bindings(self.body, now, self.width, self.limits.bindings_max)
        here = EventRef(now.position, now.time_ns, now.id)
        for env in found.envs:
            truth = self.body.value(now, cells, env)
            if not truth:
                continue
            key = key_of(env, self.slots)
            inside = [a for a in cell.anchors.get(key, ()) if self._is_inside(a, now)]
            if truth == 2:
                decisions += (Decision(a, 0, now.time_ns, Witness((a.ref, here))) for a in inside)
                cell = self._without(cell, key, inside)
            else:
                cell = self._doubt(cell, key, inside, here)
        if found.is_cut or overflows(self.body, now):
            for key, held in cell.anchors.items():
                inside = [a for a in held if self._is_inside(a, now)]
                cell = self._doubt(cell, key, inside, here)
        return cell, decisions

    def end(self, cell: PendingCell, now_ns: int) -> tuple[PendingCell, list[Decision]]:
        """Decide everything on the trace as it stands."""
        waiting = sorted(
            (a for held in cell.anchors.values() for a in held), key=lambda a: (a.ref, str(a.env))
        )
        decisions = [self._unmet(anchor, now_ns) for anchor in waiting]
        return (EMPTY_PENDING if waiting else cell), decisions

    def is_touched(self, known: Known, is_end: bool) -> bool:
        """Whether an event of which that is known can decide anything."""
        return is_end or folded(self.body, known, is_end) is not FALSE_NODE

    def _is_inside(self, anchor: Anchor, now: Moment) -> bool:
        return now.time_ns - anchor.ref.time_ns >= self.window.low_ns

    def _unmet(self, anchor: Anchor, decided_ns: int) -> Decision:
        """In vain: the wait is over, and was false; or unknown, where f was unknown once."""
        if anchor.doubt is not None:
            unknowns = (*anchor.witness.unknowns, anchor.doubt)
            witness = Witness(anchor.witness.events, anchor.witness.absences, unknowns)
            return Decision(anchor, 1, decided_ns, witness)
        absence = Absence(self.text, anchor.ref.time_ns + self.window.low_ns, decided_ns)
        witness = Witness(
            anchor.witness.events,
            (*anchor.witness.absences, absence),
            anchor.witness.unknowns,
        )
        return Decision(anchor, anchor.truth, decided_ns, witness)

    @staticmethod
    def _without(cell: PendingCell, key: Key, decided: Iterable[Anchor]) -> PendingCell:
        gone = set(decided)
        if not gone:
            return cell
        kept = tuple(a for a in cell.anchors[key] if a not in gone)
        anchors = cell.anchors.set(key, kept) if kept else cell.anchors.remove(key)
        return PendingCell(anchors, cell.queue, cell.waiting_count - len(gone))

    @staticmethod
    def _doubt(cell: PendingCell, key: Key, inside: list[Anchor], here: EventRef) -> PendingCell:
        touched = set(inside)
        if not touched:
            return cell
        held = tuple(a._replace(doubt=here) if a in touched else a for a in cell.anchors[key])
        return cell._replace(anchors=cell.anchors.set(key, held))
