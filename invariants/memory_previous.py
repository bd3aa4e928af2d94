"""The memory of `previous[w] f`: the data to evaluate f at the previous event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .core import Cells, Env, Memory, Node
from .folding import Known
from .formula.ast import Window
from .keys import Because
from .moment import Moment
from .slices import FALSE_READING, UNKNOWN_PAST, Entry, Reading


class Frame(NamedTuple):
    """All that is needed to evaluate a formula at the event before this one."""

    moment: Moment
    cells: Mapping[int, Any]
    past: int = UNKNOWN_PAST
    """For the event before a birth: the reading of the body where it depends on the event."""
    is_age_known: bool = True
    """If not, the event may lie in the window or not (`unsure_time.py`)."""


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

    initial = (None, None)
    beside = ()

    def frame(self, now: Moment, cells: Cells) -> Frame | None:
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

    def read(self, now: Moment, cells: Cells, env: Env) -> Reading:
        """The body's truth one event ago."""
        frame = self.frame(now, cells)
        if frame is None:
            return FALSE_READING
        moment = frame.moment
        truth = self.body.value(moment, frame.cells, env)
        if not frame.is_age_known:
            truth = min(truth, 1)
        if not moment.id:
            return Reading(frame.past if truth == 1 else truth)
        return Reading(truth, Entry(moment.time_ns, moment.position, moment.id))

    def step(
        self,
        cell: tuple[Frame | None, Frame | None],
        now: Moment,
        cells: Cells,
        because: Because,
    ) -> tuple[Frame | None, Frame | None]:
        """The newest frame moves to second place: readers at this event see the one before."""
        letter = {name: now.letter[name] for name in self.predicates}
        kept = {index: cells[index] for index in self.inner}
        return (Frame(now._replace(letter=letter), kept), cell[0])

    def touched_by(self, known: Known, is_end: bool) -> PreviousMemory:
        """Itself: every event is the next one's previous."""
        return self

    @staticmethod
    def lost_count(cell: Any) -> int:
        """There is always room for two frames."""
        return 0
