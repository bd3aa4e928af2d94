"""`interlock bench plan`: the cost of an event whose (kind, tool) has not been met before.

Agents choose the names of tools, and the engine remembers what it has found out about a limited
number of shapes. Turns of events of new shapes alternate with turns of one known shape and with
bare decoding: first up to the bound, then past it. The invariants are those of `recorded-v1`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from monitor.authoring.files import read_specs
from monitor.bench.bare import bare_decode
from monitor.bench.beside import Turn, take_turns
from monitor.bench.recorded import pack_files
from monitor.bench.workload import EVENT_BYTES
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings

SHAPES_BOUND: Final = 4_096
TURN_SHAPES: Final = 64
SESSION_EVENTS: Final = 64
STEP_NS: Final = 3_600_000_000_000  # Chosen: so rare that no window of the packs is ever full.


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """The results of one run; ratios are medians over turns.

    `ratio_per_new_shape`: what an event of a new shape costs more than one of a known shape, over
    bare decoding. `ratio_past_bound`: an event of a new shape past the bound over one before it;
    `ratio_past_bound_over_known`: over an event of a known shape.
    """

    ratio_per_new_shape: float
    ratio_past_bound: float
    ratio_past_bound_over_known: float
    ns_per_event_bare: float
    ns_per_event_known: float
    ns_per_event_new: float
    ns_per_event_new_past_bound: float
    shapes: int
    shapes_bound: int
    invariants: int
    beside: dict[str, float] | None


class PlanSide:
    """An engine that meets `shapes` new shapes before the bound, and as many past it."""

    def __init__(self, shapes: int, bound: int) -> None:
        self.program = compile_program(read_specs(*pack_files()))
        self._engine = Kernel(self.program, KernelSettings(trust_ts=True))
        self._shapes = shapes
        self._filling = max(0, bound - shapes)
        self._met = 0
        self._number = 0
        self._engine.step(_decoded(self._record("known")))

    def turn(self, number: int) -> Turn | None:
        """The times of the next events, in ns per event."""
        if self._met >= 2 * self._shapes:
            return None
        is_past = self._met >= self._shapes
        if is_past and self._filling:
            for tool in range(self._filling):
                self._engine.step(_decoded(self._record(f"filling-{tool}")))
            self._filling = 0
        end = self._shapes * (1 + is_past)
        count = min(TURN_SHAPES, end - self._met)
        known = [self._record("known") for _ in range(count)]
        new = [self._record(f"tool-{self._met + n}") for n in range(count)]
        self._met += count
        begin_ns = time.thread_time_ns()
        for record in new:
            bare_decode(record)
        bare_ns = time.thread_time_ns() - begin_ns
        known_ns, new_ns = self._step_ns(known), self._step_ns(new)
        self._engine.take_changes()
        return {
            "is_past": is_past,
            "bare": bare_ns / count,
            "known": known_ns / count,
            "new": new_ns / count,
        }

    def _step_ns(self, records: Sequence[bytes]) -> int:
        events = [_decoded(record) for record in records]
        begin_ns = time.thread_time_ns()
        for event in events:
            self._engine.step(event)
        return time.thread_time_ns() - begin_ns

    def _record(self, tool: str) -> bytes:
        number = self._number
        self._number += 1
        content: dict[str, object] = {
            "session": f"plan-{number // SESSION_EVENTS}",
            "seq": number % SESSION_EVENTS,
            "ts": 1_767_225_600_000_000_000 + number * STEP_NS,
            "kind": "tool.requested",
            "tool": tool,
            "call": f"call-{number}",
            "args": {"url": "https://api.corp.example/v1/items", "number": number},
            "attributes": {"note": ""},
        }
        missing = EVENT_BYTES - len(msgspec.json.encode(content))
        content["attributes"] = {"note": "x" * missing}
        return msgspec.json.encode(content)


def measure_plan(shapes: int, bound: int = SHAPES_BOUND, beside: Path | None = None) -> PlanFigures:
    """The cost of new shapes before the bound and past it."""
    own, turns, others = take_turns(PlanSide, {"shapes": shapes, "bound": bound}, beside)
    before = [turn for turn in turns if not turn["is_past"]]
    past = [turn for turn in turns if turn["is_past"]]
    return PlanFigures(
        **_ratios(turns),
        ns_per_event_bare=_median(turns, "bare"),
        ns_per_event_known=_median(turns, "known"),
        ns_per_event_new=_median(before, "new"),
        ns_per_event_new_past_bound=_median(past, "new"),
        shapes=shapes,
        shapes_bound=bound,
        invariants=len(own.program.invariants),
        beside=_ratios(others) if others else None,
    )


def _ratios(turns: Sequence[Turn]) -> dict[str, float]:
    before = [turn for turn in turns if not turn["is_past"]]
    past = [turn for turn in turns if turn["is_past"]]
    # Relative to bare decoding in their own turns, since the two stretches lie apart in time.
    new_before = statistics.median(turn["new"] / turn["bare"] for turn in before)
    new_past = statistics.median(turn["new"] / turn["bare"] for turn in past)
    extra = statistics.median((turn["new"] - turn["known"]) / turn["bare"] for turn in before)
    over_known = statistics.median(turn["new"] / turn["known"] for turn in past)
    return {
        "ratio_per_new_shape": round(extra, 1),
        "ratio_past_bound": round(new_past / new_before, 3),
        "ratio_past_bound_over_known": round(over_known, 2),
    }


def _median(turns: Sequence[Turn], name: str) -> int:
    return round(statistics.median(turn[name] for turn in turns))


def _decoded(record: bytes) -> Event:
    event = decode_event(record, Origin("bench", "0", 0))
    assert isinstance(event, Event), "the workload is well-formed"
    return event
