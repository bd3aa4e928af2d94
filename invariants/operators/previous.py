"""The memory of `previous[w] f`: the data to evaluate f at the previous event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ..formula.ast import Formula, Window
from ..formula.format import format_formula
from ..model.fact import Fact, Truth
from ..model.limits import Limits
from ..model.trace_point import TracePoint
from .codec import Reader, Writer, put_fact, take_fact
from .contract import (
    FALSE_READING,
    UNKNOWN_PAST,
    Because,
    Birth,
    Builder,
    Capacity,
    CellOf,
    Content,
    Entry,
    Grounds,
    Memory,
    Reading,
    absence_at,
    is_bounded,
)
from .nodes import Cells, Env, Node, atoms, memories
from .specialise import Known


class Frame(NamedTuple):
    """All that is needed to evaluate a formula at the event before this one."""

    moment: TracePoint
    cells: Mapping[int, Any]
    past: int = UNKNOWN_PAST
    """For the event before a birth: the reading of the body where it depends on the event."""
    is_age_known: bool = True
    """If not, the event may lie in the window or not (`runtime/unsure_time.py`)."""


Frames = tuple[Frame | None, Frame | None]
"""The frame of the event at hand, and of the one before it."""


@dataclass(frozen=True, slots=True)
class PreviousMemory:
    """`previous[window] body`: the cell is the frame of the event at hand, for the next one.

    A frame holds only the facts and cells that `body` reads, so frames do not chain.
    """

    index: int
    text: str
    body_text: str
    window: Window
    body: Node
    predicates: tuple[str, ...]
    inner: Mapping[int, Memory]
    """The memories that `body` reads, by their index."""

    initial: ClassVar[Frames] = (None, None)
    beside: ClassVar[tuple[Memory, ...]] = ()
    slots: ClassVar[tuple[int, ...]] = ()
    is_monotone: ClassVar[bool] = True
    bound_slot: ClassVar[int | None] = None

    @property
    def operands(self) -> tuple[Node, ...]:
        """The body."""
        return (self.body,)

    def _frame(self, now: TracePoint, cells: Cells) -> Frame | None:
        """The frame of the event before, if it lies in the window; it is the cell's second part."""
        frame: Frame | None = cells[self.index][1]
        if frame is None or frame.moment.position != now.position - 1:
            return None
        if not frame.is_age_known:
            return frame
        age_ns = now.time_ns - frame.moment.time_ns
        high_ns = self.window.high_ns
        if age_ns < self.window.low_ns or (high_ns is not None and age_ns > high_ns):
            return None
        return frame

    def read(self, now: TracePoint, cells: Cells, env: Env) -> Reading:
        """The body's truth one event ago."""
        frame = self._frame(now, cells)
        if frame is None:
            return FALSE_READING
        moment = frame.moment
        truth = self.body.value(moment, frame.cells, env)
        if not frame.is_age_known:
            truth = min(truth, 1)
        if not moment.id:
            return Reading(frame.past if truth == 1 else truth)
        return Reading(truth, Entry(moment.time_ns, moment.position, moment.id))

    def step(self, cell: Frames, now: TracePoint, cells: Cells, because: Because) -> Frames:
        """The newest frame moves to second place: readers at this event see the one before."""
        letter = {name: now.letter[name] for name in self.predicates}
        kept = {index: cells[index] for index in self.inner}
        moment = TracePoint(now.position, now.time_ns, now.id, letter, now.is_session_end)
        return Frame(moment, kept), cell[0]

    def touched_by(self, known: Known, is_end: bool) -> PreviousMemory:
        """Itself: every event is the next one's previous."""
        return self

    @staticmethod
    def lost_count(cell: Frames) -> int:
        """There is always room for two frames."""
        return 0

    def collect(
        self, grounds: Grounds, truth: int, now: TracePoint, cells: Cells, env: Env
    ) -> None:
        """The grounds at the previous event; or that there is none in the window."""
        frame = self._frame(now, cells)
        if frame is None:
            grounds.miss(absence_at(self.text, now))
            return
        grounds.collect(self.body, frame.moment, frame.cells, env)
        if truth == 0:
            grounds.miss(absence_at(self.body_text, frame.moment))

    def encode(self, cell: Frames, now_ns: int, out: Writer) -> Any:
        """Both frames, as far as their events can still lie in the window."""
        return [self._put_frame(frame, now_ns, out) for frame in cell]

    def _put_frame(self, frame: Frame | None, now_ns: int, out: Writer) -> Any:
        if frame is None:
            return None
        position, time_ns, id_, letter, is_session_end = frame.moment
        high_ns = self.window.high_ns
        if frame.is_age_known and high_ns is not None and now_ns - time_ns > high_ns:
            return None
        # An event that was not seen has no id, and a time of its own: it is not in the table.
        is_seen = is_session_end is not None
        event = out.event(position, time_ns, id_) if is_seen else [position, time_ns, id_]
        facts = [[name, put_fact(letter[name])] for name in self.predicates]
        # They are read as of the frame's own time.
        cells = [
            [index, self.inner[index].encode(frame.cells[index], time_ns, out)]
            for index in sorted(frame.cells)
        ]
        return [event, is_session_end, facts, cells, frame.past, frame.is_age_known]

    def decode(self, data: Any, source: Reader) -> Frames:
        """Both frames."""
        newest, before = data
        return self._take_frame(newest, source), self._take_frame(before, source)

    def _take_frame(self, data: Any, source: Reader) -> Frame | None:
        if data is None:
            return None
        event, is_session_end, facts, cells, past, is_age_known = data
        if isinstance(event, list):
            position, time_ns, id_ = event
        else:
            position, (time_ns, id_) = event, source.event(event)
        letter = {name: take_fact(fact) for name, fact in facts}
        moment = TracePoint(position, time_ns, id_, letter, is_session_end)
        inner = {index: self.inner[index].decode(cell, source) for index, cell in cells}
        return Frame(moment, inner, past, is_age_known)

    def describe(self, now: TracePoint, cells: Cells) -> Content:
        """Nothing: its value says it all."""
        return Content()

    def capacity(self, limits: Limits) -> Capacity:
        """Two frames."""
        return Capacity("the last two events", 1, 2, "its shape")

    def unseen(self, birth: Birth, past: int, cell_of: CellOf) -> Frames:
        """Frames of events with unknown content."""
        newest, before = self._unseen(birth, past, cell_of), None
        if birth.position:
            # The time of the event before that one is unknown.
            earlier = Birth(birth.position - 1, birth.time_ns, is_time_known=False)
            before = self._unseen(earlier, past, cell_of)
        return newest, before

    def _unseen(self, birth: Birth, past: int, cell_of: CellOf) -> Frame:
        inner = {index: cell_of(held, birth) for index, held in self.inner.items()}
        names: dict[str, set[str]] = {predicate: set() for predicate in self.predicates}
        for atom in atoms(self.body):
            names.setdefault(atom.predicate, set()).update(
                name for name, _ in (*atom.constants, *atom.slots)
            )
        letter = {
            # It may have named any value, as a list that was too long may.
            predicate: Fact(Truth.UNKNOWN, {}, overflowing=frozenset(of))
            for predicate, of in names.items()
        }
        moment = TracePoint(birth.position, birth.time_ns, "", letter, None)
        return Frame(moment, inner, past, birth.is_time_known)

    def unsure(self, cell: Frames, unknown: Sequence[Any]) -> Frames:
        """The previous event is known; its age, and the content of windows there, is not."""
        newest, before = cell
        if newest is not None:
            cells = {
                index: self.inner[index].unsure(held, unknown)
                for index, held in newest.cells.items()
            }
            is_age_known = not is_bounded(self.window)
            newest = newest._replace(cells=cells, is_age_known=is_age_known)
        return newest, before


def build_previous(formula: Formula, window: Window, body: Formula, build: Builder) -> Memory:
    """The memory of `previous[window] body`."""
    inner = build.node(body)
    return PreviousMemory(
        index=len(build.memories),
        text=format_formula(formula),
        body_text=format_formula(body),
        window=window,
        body=inner,
        predicates=tuple(sorted({atom.predicate for atom in atoms(inner)})),
        inner={memory.index: memory for memory in memories(inner)},
    )
