"""One session's steps through its inputs, to be visited forwards and backwards.

Every step keeps the header and the progress after it. Both are immutable and share unchanged parts,
so that a step costs a few hundred bytes (Measured: docs/replay.md).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, NamedTuple

from pyrsistent import PVector, pvector

from invariants.model.event import Event
from invariants.runtime.scope_program import Progress
from monitor.findings.model import Finding
from monitor.ingest.sequence import Header
from monitor.kernel.scope import EMPTY_LOAD, LoadedScope
from monitor.trace_key import TraceKey
from replay.recording.format import RecordLine
from replay.timeline.player import Fate, InputLine, Player


class TrackStep(NamedTuple):
    """A session after one of its records. `event` has its effective time if it was accepted."""

    input_number: int
    event: Event
    fate: Fate
    header: Header
    progress: Progress


class SessionTrack:
    """The steps of one session from some input on; only ever extended."""

    STEPS_MAX: ClassVar[int] = 10_000
    """Chosen: about 10 MB; for a longer session the track starts again, nearer to the requested
    event."""

    def __init__(
        self,
        trace: TraceKey,
        begins_at: int,
        open_player: Callable[[Callable[[str], LoadedScope]], Player],
        load: Callable[[str], LoadedScope],
    ) -> None:
        self.trace = trace
        self.begins_at = begins_at
        self.next_input = begins_at
        self.steps: PVector[TrackStep] = pvector()
        self.findings: list[Finding] = []
        self._forgotten: set[str] = set()
        self._player = open_player(
            lambda name: EMPTY_LOAD if name in self._forgotten else load(name)
        )

    def reaches(self, trace: TraceKey, until_input: int) -> bool:
        """True if the state after an input can be read here."""
        return trace == self.trace and self.begins_at <= until_input < self.next_input

    def is_near(self, trace: TraceKey, until_input: int, own: Sequence[int]) -> bool:
        """True if continuing to an input keeps the bound; `own` are all inputs of the trace."""
        if trace != self.trace or until_input < self.next_input:
            return False
        ahead = bisect_right(own, until_input) - bisect_left(own, self.next_input)
        return len(self.steps) + ahead <= self.STEPS_MAX

    def expect(self, wakes: list[tuple[int, str]]) -> None:
        """When time alone next changes something, as known at the beginning of the track."""
        self._player.kernel.expect(wakes)

    def go_on(self, inputs: Iterable[tuple[int, InputLine]], until_input: int) -> None:
        """Play more inputs of this session's id, and ticks, in order, up to one (included)."""
        kernel = self._player.kernel
        more: list[TrackStep] = []
        for number, line in inputs:
            played = self._player.play(line)
            self.findings += [found for found in played.findings if found.trace == self.trace]
            if not isinstance(line, RecordLine):
                _, dropped = kernel.take_changes()
                self._forgotten.update(dropped)
                continue
            held = kernel.inspect(self.trace)
            if played.event is not None and self.trace in played.traces and held is not None:
                more.append(TrackStep(number, played.event, played.fate, *held))
        self.steps = self.steps.extend(more)
        self.next_input = until_input + 1

    def step_at(self, input_number: int) -> TrackStep | None:
        """The last step at or before an input; None if there is none yet."""
        low, high = 0, len(self.steps)
        while low < high:
            middle = (low + high) // 2
            if self.steps[middle].input_number <= input_number:
                low = middle + 1
            else:
                high = middle
        return self.steps[low - 1] if low else None

    def life_before(self, step: TrackStep) -> list[TrackStep]:
        """The steps that were taken into the trace up to `step`, oldest first, in one life.

        A session that was forgotten (`linger`) begins anew at position 0.
        """
        taken = [s for s in self.steps if s.input_number <= step.input_number]
        life: list[TrackStep] = []
        for one in taken:
            if one.fate != "taken":
                continue
            if life and one.header.position <= life[-1].header.position:
                life = []
            life.append(one)
        return life
