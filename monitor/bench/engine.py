"""`interlock bench engine`: the cost of an event, from bytes to findings, relative to decoding.

Both are timed in one process over the same bytes, in short alternating turns, so that a machine
that slows down slows both. The time is that of this thread, so that other processes on the core do
not count. Quote the ratio.

The parts: `decode` is timed apart. `predicates` (their facts, with the JSON that they read),
`operators` (the rest of a program's step), `findings` (made from verdicts) and `order` (the rest of
the engine: owners, repeats, order, losses, wake-ups, and all of wider scopes but their steps) are
those of a second engine in the same turn, which is instrumented (`part_clock.py`). So their sum is
another measurement of the same work, and differs a little from the whole.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from invariants.image.compile import compile_program
from invariants.model.errors import ConfigError
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.authoring.files import default_pack_specs, read_specs
from monitor.bench.bare import bare_decode
from monitor.bench.beside import Turn, take_turns
from monitor.bench.part_clock import Hook, PartClock, measured_cost, without_cost
from monitor.bench.recorded import (
    RECORDINGS_DIGEST,
    WORKLOAD,
    pack_files,
    packs_digest,
    recorded_events,
)
from monitor.bench.workload import make_events
from monitor.detection.load_model import open_detector
from monitor.detection.scoring import Scoring
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings

if TYPE_CHECKING:
    # Older checkouts, beside which this runs too, have no such module.
    from invariants.check.checked import CheckedSpec

TURN_EVENTS = 2_000
ORIGIN = Origin("bench", "0", 0)
PARTS: Final = ("decode", "order", "predicates", "operators", "findings")
HOOKS: Final = (
    Hook("predicates", "invariants.runtime.plan", "facts", "Plan"),
    Hook("operators", "monitor.kernel.kernel", "step_at"),
    Hook("operators", "monitor.kernel.wider", "step_at"),
    Hook("findings", "monitor.kernel.kernel", "session_findings"),
    Hook("findings", "monitor.kernel.wider", "verdict_finding"),
    Hook("findings", "monitor.kernel.wider", "engine_finding"),
)


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """The results of one run; times are medians over turns, in ns per event.

    `beside` contains the ratios of another checkout, measured in the same turns. The last fields
    are those of `recorded-v1` alone: the same events with the default packs as they are now, and
    with a detector.
    """

    ratio_to_decode: float
    ratio_decode: float
    ratio_order: float
    ratio_predicates: float
    ratio_operators: float
    ratio_findings: float
    ns_per_event: float
    ns_per_event_decode_bare: float
    ns_per_event_decode: float
    ns_per_event_engine: float
    events_per_second: float
    events: int
    event_bytes: int
    invariants: int
    live_predicates_per_event: float
    concerned_per_event: float
    findings: int
    concerned_share_least: float
    beside: dict[str, float] | None = None
    workload: str = "bench"
    packs_digest: str | None = None
    recordings_digest: str | None = None
    ratio_default_packs: float | None = None
    ratio_with_detector: float | None = None


class EngineSide:
    """The turns of one checkout: bare decoding, our decoding, the engine, and its parts."""

    def __init__(
        self,
        events: int,
        recordings: str | None = None,
        *,
        with_default_packs: bool = False,
        model: str | None = None,
    ) -> None:
        if recordings is None:
            self.records = make_events(events)
            specs = read_specs(Path(__file__).with_name("engine.yaml"))
        else:
            self.records = recorded_events(Path(recordings), events)
            specs = read_specs(*pack_files())
        self.program = compile_program(specs)
        self.findings_count = 0
        self._engine = _engine(specs)
        self._instrumented = _engine(specs)
        self._rows: dict[str, Kernel] = {}
        if with_default_packs:
            self._rows["default_packs"] = _engine(default_pack_specs())
        if model is not None:
            scoring = Scoring(open_detector(model, None), "warning")
            self._rows["with_detector"] = _engine(specs, scoring)
        self._parts = PartClock()
        self._cost = measured_cost()

    def turn(self, number: int) -> Turn | None:
        """The times of the next events, in ns per event."""
        records = self.records[number * TURN_EVENTS : (number + 1) * TURN_EVENTS]
        if not records:
            return None
        begin_ns = time.thread_time_ns()
        for value in records:
            bare_decode(value)
        bare_ns = time.thread_time_ns()
        events = [decode_event(value, ORIGIN) for value in records]
        decoded_ns = time.thread_time_ns()
        engine = self._engine
        for event in events:
            assert isinstance(event, Event), "the workload is well-formed"
            self.findings_count += len(engine.step(event))
        end_ns = time.thread_time_ns()
        engine.take_changes()
        turn = {
            "bare": bare_ns - begin_ns,
            "decode": decoded_ns - bare_ns,
            "engine": end_ns - decoded_ns,
            **{name: _row_ns(row, events) for name, row in self._rows.items()},
            **self._part_times(events),
        }
        return {name: float(ns) / len(records) for name, ns in turn.items()}

    def _part_times(self, events: Sequence[Any]) -> dict[str, float]:
        def steps() -> None:
            for event in events:
                self._instrumented.step(event)

        with self._parts.attached(HOOKS):
            self._parts.wrapped("order", steps)()
        self._instrumented.take_changes()
        return self._parts.take(self._cost)


def measure_engine(
    events_count: int,
    *,
    recordings: Path | None = None,
    beside: Path | None = None,
    model: Path | None = None,
) -> EngineFigures:
    """Time bare decoding, our decoding and the engine, turn by turn.

    With `recordings` the workload is `recorded-v1`, with `model` also with that detector.
    """
    if model is not None and recordings is None:
        raise ConfigError(f"`--model` is for the workload `{WORKLOAD}`")
    arguments: dict[str, Any] = {"events": events_count}
    if recordings is not None:
        arguments["recordings"] = str(recordings.resolve())
    own_arguments = dict(arguments)
    if recordings is not None:
        own_arguments["with_default_packs"] = True
        own_arguments["model"] = None if model is None else str(model)
    own, turns, others = take_turns(EngineSide, own_arguments, beside, arguments)
    ratios = _ratios(turns)
    whole = statistics.median(turn["decode"] + turn["engine"] for turn in turns)
    live, concerned, least = _concern(own.program, own.records)
    return EngineFigures(
        **ratios,
        ns_per_event=round(whole),
        ns_per_event_decode_bare=round(_median(turns, "bare")),
        ns_per_event_decode=round(_median(turns, "decode")),
        ns_per_event_engine=round(_median(turns, "engine")),
        events_per_second=round(1e9 / whole),
        events=len(own.records),
        event_bytes=round(sum(map(len, own.records)) / len(own.records)),
        invariants=len(own.program.invariants),
        live_predicates_per_event=live,
        concerned_per_event=concerned,
        findings=own.findings_count,
        concerned_share_least=least,
        beside=_ratios(others) if others else None,
        workload="bench" if recordings is None else WORKLOAD,
        packs_digest=None if recordings is None else packs_digest(),
        recordings_digest=None if recordings is None else RECORDINGS_DIGEST,
        ratio_default_packs=_row_ratio(turns, "default_packs"),
        ratio_with_detector=_row_ratio(turns, "with_detector"),
    )


def _engine(specs: Sequence[CheckedSpec], scoring: Scoring | None = None) -> Kernel:
    settings = KernelSettings(trust_ts=True)
    return Kernel(compile_program(specs), settings, scoring=scoring)


def _row_ns(engine: Kernel, events: Sequence[Any]) -> int:
    begin_ns = time.thread_time_ns()
    for event in events:
        stepped = engine.take(event)
        if stepped.taken is not None:
            engine.score(stepped.taken)
    took_ns = time.thread_time_ns() - begin_ns
    engine.take_changes()
    return took_ns


def _median(turns: Sequence[Turn], name: str) -> float:
    return statistics.median(turn[name] for turn in turns)


def _ratios(turns: Sequence[Turn]) -> dict[str, float]:
    """The whole and its parts, as medians of the turns' ratios to bare decoding."""
    parts: dict[str, list[float]] = {f"ratio_{name}": [] for name in ("to_decode", *PARTS)}
    for turn, inner in zip(turns, without_cost(turns, PARTS[1:], "engine"), strict=True):
        told = {
            "to_decode": turn["decode"] + turn["engine"],
            "decode": turn["decode"],
            **inner,
        }
        for name, ns in told.items():
            parts[f"ratio_{name}"].append(ns / turn["bare"])
    return {name: round(statistics.median(ratios), 2) for name, ratios in parts.items()}


def _row_ratio(turns: Sequence[Turn], name: str) -> float | None:
    if name not in turns[0]:
        return None
    ratios = [(turn["decode"] + turn[name]) / turn["bare"] for turn in turns]
    return round(statistics.median(ratios), 2)


def _concern(program: Program, records: Sequence[bytes]) -> tuple[float, float, float]:
    """The live predicates and the concerned invariants of an event on average, and the share of
    events that concern the invariant which the fewest concern.
    """
    counts: Counter[str] = Counter()
    live_count = 0
    for value in records:
        record = bare_decode(value)
        for scopes in program.scopes:
            plan = scopes.plan(record.kind, record.tool)
            counts.update(scopes.invariants[index].digest for index, _ in plan.concerned)
            live_count += plan.live_count
    least = min(counts[compiled.digest] for compiled in program.invariants)
    events_count = len(records)
    return (
        round(live_count / events_count, 2),
        round(counts.total() / events_count, 2),
        round(least / events_count, 4),
    )
