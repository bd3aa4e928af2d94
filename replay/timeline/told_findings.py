"""The findings of a replay, in the order of reporting; stored on disk."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from monitor.findings.grouping import Groups
from monitor.findings.model import Finding
from monitor.trace_key import TraceKey
from replay.timeline.spill import Shelf, SpillPlace


class Told(NamedTuple):
    """A finding, and the input (from 0) at which the engine reported it."""

    input_number: int
    finding: Finding


class ToldFindings:
    """In the order in which they were first reported.

    A group of undecided verdicts occurs once, with every invariant that joined it; a run of
    violations once, with its count and its end. A prevented call that is asked for again is
    reported once, as of the first time, as in a monitor's store.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._rows: list[tuple[int, SpillPlace]] = []
        self._rows_of: dict[TraceKey, array[int]] = {}
        self._known_rows: dict[str, int] = {}
        self._groups = Groups(self._group)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._rows)

    def add(
        self, number: int, findings: Sequence[Finding], is_wanted: Callable[[TraceKey], bool]
    ) -> None:
        """The verdicts and engine findings of one input."""
        wanted = [finding for finding in findings if is_wanted(finding.trace)]
        for finding in self._groups.take(wanted):
            place = self._shelf.lay(msgspec.json.encode(finding))
            at = self._known_rows.get(finding.id)
            if at is None:
                if finding.is_growing or finding.prevention == "prevented":
                    self._known_rows[finding.id] = len(self._rows)
                self._rows_of.setdefault(finding.trace, array("L")).append(len(self._rows))
                self._rows.append((number, place))
            elif finding.is_growing:
                self._rows[at] = (self._rows[at][0], place)
        self._groups.stored()

    def of(self, trace: TraceKey | None) -> Iterator[Told]:
        """Those of one session, or all."""
        rows = range(len(self._rows)) if trace is None else self._rows_of.get(trace, ())
        for number, place in map(self._rows.__getitem__, rows):
            yield Told(number, self._read(place))

    def _group(self, id_: str) -> Finding | None:
        at = self._known_rows.get(id_)
        return None if at is None else self._read(self._rows[at][1])

    def _read(self, place: SpillPlace) -> Finding:
        return msgspec.json.decode(self._shelf.read(place), type=Finding)
