"""`interlock bench engine`: the cost of an event, from bytes to findings, relative to decoding.

Both are timed in one process over the same bytes, in short alternating turns, so that a machine
that slows down slows both. The time is that of this thread, so that other processes on the core do
not count. Quote the ratio.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from invariants.event import Event, EventRecord, Origin
from invariants.program import Program, compile_program
from monitor.bench.workload import EVENT_BYTES, make_events
from monitor.decode.native import decode_event
from monitor.engine import Engine
from monitor.engine_settings import EngineSettings
from monitor.invariant_files import read_specs

TURN_EVENTS = 2_000
ORIGIN = Origin("bench", "0", 0)


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """The results of one run; times are medians over turns, in ns per event."""

    ratio_to_decode: float
    ns_per_event: float
    ns_per_event_decode_bare: float
    ns_per_event_decode: float
    ns_per_event_engine: float
    events_per_second: float
    events: int
    event_bytes: int
    invariants: int
    findings: int
    concerned_share_least: float


def measure_engine(events_count: int) -> EngineFigures:
    """Time bare decoding, our decoding and the engine, turn by turn."""
    program = compile_program(read_specs(Path(__file__).with_name("engine.yaml")))
    records = make_events(events_count)
    engine = Engine(program, EngineSettings(trust_ts=True))
    bare_decode = msgspec.json.Decoder(EventRecord).decode
    bare: list[float] = []
    decoding: list[float] = []
    stepping: list[float] = []
    findings_count = 0
    gc.collect()
    gc.disable()
    try:
        for start in range(0, len(records), TURN_EVENTS):
            turn = records[start : start + TURN_EVENTS]
            begin_ns = time.thread_time_ns()
            for value in turn:
                bare_decode(value)
            bare_ns = time.thread_time_ns()
            events = [decode_event(value, ORIGIN) for value in turn]
            decoded_ns = time.thread_time_ns()
            for event in events:
                assert isinstance(event, Event), "the workload is well-formed"
                findings_count += len(engine.step(event))
            end_ns = time.thread_time_ns()
            bare.append((bare_ns - begin_ns) / len(turn))
            decoding.append((decoded_ns - bare_ns) / len(turn))
            stepping.append((end_ns - decoded_ns) / len(turn))
    finally:
        gc.enable()
    whole = [d + s for d, s in zip(decoding, stepping, strict=True)]
    ratios = [w / b for w, b in zip(whole, bare, strict=True)]
    return EngineFigures(
        ratio_to_decode=round(statistics.median(ratios), 2),
        ns_per_event=round(statistics.median(whole)),
        ns_per_event_decode_bare=round(statistics.median(bare)),
        ns_per_event_decode=round(statistics.median(decoding)),
        ns_per_event_engine=round(statistics.median(stepping)),
        events_per_second=round(1e9 / statistics.median(whole)),
        events=len(records),
        event_bytes=EVENT_BYTES,
        invariants=len(program.invariants),
        findings=findings_count,
        concerned_share_least=round(_least_share(program, records), 4),
    )


def _least_share(program: Program, records: list[bytes]) -> float:
    """The share of events that concern the invariant which the fewest concern."""
    counts: Counter[int] = Counter()
    for value in records:
        event = decode_event(value, ORIGIN)
        assert isinstance(event, Event), "the workload is well-formed"
        plan = program.plan(event.kind, event.record.tool)
        counts.update(index for index, _ in plan.concerned)
    return min(counts[index] for index in range(len(program.invariants))) / len(records)
