"""`interlock bench session-length`: whether an event of a long session costs more than of a short.

The same events, one second apart, once as sessions of ten and once as one session. The turns of
the two alternate in one process, so that a machine that slows down slows both.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from invariants.image.compile import compile_program
from invariants.model.event import SECOND_NS, Event, Origin
from monitor.authoring.files import read_specs
from monitor.bench.engine import TURN_EVENTS
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings

SHORT_EVENTS: Final = 10
EVENTS_A_VALUE: Final = 10
START_NS: Final = 1_767_225_600 * SECOND_NS


@dataclass(frozen=True, slots=True)
class LengthFigures:
    """The results of one run; times are medians over turns, in ns per event of the engine alone.

    `cost_ratio_last` is that of the long session's last turns, where it holds the most.
    """

    cost_ratio: float
    cost_ratio_last: float
    ns_per_event_short: float
    ns_per_event_long: float
    length_short: int
    length_long: int
    values_long: int
    findings: int


def measure_session_length(length: int) -> LengthFigures:
    """The cost of an event in one session of `length`, over that in sessions of ten."""
    program = compile_program(read_specs(Path(__file__).with_name("session_length.yaml")))
    engines = [Kernel(program, KernelSettings(trust_ts=True)) for _ in range(2)]
    costs: tuple[list[float], list[float]] = ([], [])
    findings_count = 0
    gc.collect()
    gc.disable()
    try:
        for start in range(0, length, TURN_EVENTS):
            numbers = range(start, min(start + TURN_EVENTS, length))
            short = [_event(f"short-{n // SHORT_EVENTS}", n % SHORT_EVENTS, n) for n in numbers]
            long = [_event("long", n, n) for n in numbers]
            for engine, events, cost in zip(engines, (short, long), costs, strict=True):
                begin_ns = time.thread_time_ns()
                for event in events:
                    findings_count += len(engine.step(event))
                cost.append((time.thread_time_ns() - begin_ns) / len(events))
                engine.take_changes()
    finally:
        gc.enable()
    of_short, of_long = map(statistics.median, costs)
    last = max(len(costs[1]) // 5, 1)
    return LengthFigures(
        cost_ratio=round(of_long / of_short, 3),
        cost_ratio_last=round(statistics.median(costs[1][-last:]) / of_short, 3),
        ns_per_event_short=round(of_short),
        ns_per_event_long=round(of_long),
        length_short=SHORT_EVENTS,
        length_long=length,
        values_long=-(-length // EVENTS_A_VALUE),
        findings=findings_count,
    )


def _event(session: str, seq: int, number: int) -> Event:
    """A grant and payments for one value after another; every requested payment was granted."""
    is_grant = number % EVENTS_A_VALUE == 0
    content: dict[str, object] = {
        "session": session,
        "seq": seq,
        "ts": START_NS + number * SECOND_NS,
        "kind": "approval.granted" if is_grant else "tool.requested",
        "tool": "pay" if number % 2 == 0 else "look",
        "args": {"to": f"account-{number // EVENTS_A_VALUE}"},
    }
    event = decode_event(msgspec.json.encode(content), Origin("bench", "0", number))
    assert isinstance(event, Event), "the workload is well-formed"
    return event
