"""`interlock bench engine --rule count-violated`: a violated `count` while its window fills.

One session breaks `count(a)[1h] <= 5` at every event. The cost of an event with 2,000 events in the
window, over that with 1,000: the same rule and events, but for their distance in time. The windows
are filled before anything is timed, and the turns of the two alternate.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from invariants.image.compile import compile_program
from invariants.model.event import SECOND_NS, Event, Origin
from monitor.authoring.files import read_specs
from monitor.bench.beside import Turn, take_turns
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings

SMALL, LARGE = 1_000, 2_000
WINDOW_NS: Final = 3_600 * SECOND_NS
TURN_EVENTS: Final = 100
START_NS: Final = 1_767_225_600 * SECOND_NS


@dataclass(frozen=True, slots=True)
class CountFigures:
    """The results of one run; times are medians over turns, in ns per event of the engine alone."""

    cost_ratio: float
    ns_per_event_small: float
    ns_per_event_large: float
    window_events_small: int
    window_events_large: int
    events: int
    findings: int
    cost_ratio_beside: float | None


class CountSide:
    """Two sessions, each on an engine of its own, whose windows hold as many events as they can."""

    def __init__(self, events: int) -> None:
        specs = read_specs(Path(__file__).with_name("count_violated.yaml"))
        self._events = events
        self._engines = {
            size: Kernel(compile_program(specs), KernelSettings(trust_ts=True))
            for size in (SMALL, LARGE)
        }
        self.findings_count = 0
        for size, engine in self._engines.items():
            for number in range(size):
                engine.step(_decoded(_record(size, number)))
            engine.take_changes()

    def turn(self, number: int) -> Turn | None:
        """The times of the next events, in ns per event."""
        first = number * TURN_EVENTS
        numbers = range(first, min(first + TURN_EVENTS, self._events))
        if not numbers:
            return None
        turn: Turn = {}
        for size, engine in self._engines.items():
            events = [_decoded(_record(size, size + n)) for n in numbers]
            begin_ns = time.thread_time_ns()
            for event in events:
                self.findings_count += len(engine.step(event))
            end_ns = time.thread_time_ns()
            engine.take_changes()
            turn[f"engine_{size}"] = (end_ns - begin_ns) / len(events)
        return turn


def measure_count_violated(events: int, beside: Path | None = None) -> CountFigures:
    """The cost of a violating event with 2,000 events in the window, over that with 1,000."""
    own, turns, others = take_turns(CountSide, {"events": events}, beside)

    def median(name: str) -> float:
        return statistics.median(turn[name] for turn in turns)

    cost_ratio = _cost_ratio(turns)
    assert cost_ratio is not None, "there is a turn"
    return CountFigures(
        cost_ratio=cost_ratio,
        ns_per_event_small=round(median(f"engine_{SMALL}")),
        ns_per_event_large=round(median(f"engine_{LARGE}")),
        window_events_small=SMALL,
        window_events_large=LARGE,
        events=events,
        findings=own.findings_count,
        cost_ratio_beside=_cost_ratio(others),
    )


def _cost_ratio(turns: list[Turn]) -> float | None:
    if not turns:
        return None
    ratios = [turn[f"engine_{LARGE}"] / turn[f"engine_{SMALL}"] for turn in turns]
    return round(statistics.median(ratios), 3)


def _record(size: int, number: int) -> bytes:
    content: dict[str, object] = {
        "session": "busy",
        "seq": number,
        "ts": START_NS + number * (WINDOW_NS // size),
        "kind": "tool.requested",
        "tool": "look",
        "args": {"page": number},
    }
    return msgspec.json.encode(content)


def _decoded(record: bytes) -> Event:
    event = decode_event(record, Origin("bench", "0", 0))
    assert isinstance(event, Event), "the workload is well-formed"
    return event
