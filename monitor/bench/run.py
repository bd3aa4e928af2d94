"""`interlock bench run`: a whole `interlock run` over a file, relative to decoding its bytes.

Two monitors with their stores read the same file turn by turn of their loops, and between them the
same lines are decoded bare. The first monitor gives the whole. The second is instrumented
(`part_clock.py`) and gives the parts, of which `loop` is the rest of its own turns; their sum is
another measurement of the same work, and differs a little from the whole. The time is that of the
process, with all its threads. Ratios are of sums over the whole file, its end included; starting is
not (`interlock bench start`).

The store is as `interlock run` opens it for a finished file; findings are written as text and not
printed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
from monitor.clock import SystemClock
from monitor.config.table import Settings
from monitor.log import configure_log
from monitor.presentation import line
from monitor.service.assemble import Service, open_service
from monitor.service.batch import Batch
from monitor.store.records import Committed

HOOKS: Final = (
    Hook("decode", "monitor.service.loop", "read_record"),
    Hook("engine", "monitor.service.loop", "evaluate"),
    Hook("engine", "monitor.kernel.kernel", "tick", "Kernel"),
    Hook("state", "monitor.kernel.kernel", "take_changes", "Kernel"),
    *(Hook("store", "monitor.store.store", name, "Store") for name in ("commit", "finding")),
    *(Hook("store", "monitor.store.store", name, "Store") for name in ("load_scope", "load_seen")),
    Hook("source", "monitor.transport.file.reader", "poll", "FileSource"),
    *(Hook("merge", "monitor.ingest.merge", name, "Merger") for name in ("put", "know", "next")),
    Hook("merge", "monitor.ingest.merge", "positions", "Merger"),
    *(
        Hook("respond", "monitor.service.responder", name, "Responder")
        for name in ("begin", "plan")
    ),
    Hook("groups", "monitor.findings.grouping", "take", "Groups"),
    *(Hook("effects", "monitor.service.outbox", name, "Effects") for name in ("carry_out", "idle")),
    Hook("metrics", "monitor.service.batch_metrics", "observe", "Teller"),
)
OLDER_HOOKS: Final = (Hook("engine", "monitor.service.loop", "judge"),)
"""In older checkouts, beside which this runs too."""
PARTS: Final = (*dict.fromkeys(hook.part for hook in HOOKS), "loop")


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The results of one run. `outside_ratio` is all but decoding and the engine; `parts` contains
    the ratio of each part to bare decoding, and `beside` those of another checkout.
    """

    whole_ratio_to_decode: float
    outside_ratio: float
    parts: dict[str, float]
    ns_per_event: float
    ns_per_event_decode_bare: float
    events_per_second: float
    events: int
    invariants: int
    findings: int
    workload: str
    packs_digest: str | None
    recordings_digest: str | None
    beside: dict[str, Any] | None


class RunSide:
    """Two monitors over one file, in a folder that is removed after the last turn."""

    def __init__(self, events: int, recordings: str | None) -> None:
        if recordings is None:
            self.records = make_events(events)
            invariants = [Path(__file__).with_name("engine.yaml")]
        else:
            self.records = recorded_events(Path(recordings), events)
            invariants = pack_files()
        configure_log("error", "auto")
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-bench-"))
        file = Path(folder) / "events.jsonl"
        file.write_bytes(b"".join(record + b"\n" for record in self.records))
        self.finding_ids: set[str] = set()
        self._seen_count = 0
        self._services = [
            _opened(file, invariants, Path(folder) / name, self._stack, take)
            for name, take in (("plain", self._take), ("instrumented", _write))
        ]
        self.invariants_count = len(self._services[0].program.invariants)
        self._decoded_count = 0
        self._parts = PartClock(time.process_time_ns)
        self._cost = measured_cost(time.process_time_ns)
        self._is_over = [False, False]

    def turn(self, number: int) -> Turn | None:
        """One turn of both loops, in ns, and the bare decoding of what the first has read."""
        if all(self._is_over):
            self._stack.close()
            return None
        begin_ns = time.process_time_ns()
        self._step(0)
        plain_ns = time.process_time_ns()
        records = self.records[self._decoded_count : self._seen_count]
        self._decoded_count = self._seen_count
        for record in records:
            bare_decode(record)
        bare_ns = time.process_time_ns()
        with self._parts.attached((*HOOKS, *OLDER_HOOKS)):
            self._parts.wrapped("loop", self._step)(1)
        return {
            "whole": plain_ns - begin_ns,
            "bare": bare_ns - plain_ns,
            **self._parts.take(self._cost),
        }

    def _step(self, index: int) -> None:
        if not self._is_over[index]:
            self._is_over[index] = self._services[index].loop.turn()

    def _take(self, batch: Batch, committed: Committed) -> None:
        self._seen_count += batch.records_count
        self.finding_ids.update(finding.id for finding in committed.findings)
        _write(batch, committed)


def measure_run(
    events: int, *, recordings: Path | None = None, beside: Path | None = None
) -> RunFigures:
    """A whole run over the workload `recorded-v1`, or over that of `bench engine`."""
    arguments = {
        "events": events,
        "recordings": None if recordings is None else str(recordings.resolve()),
    }
    own, turns, others = take_turns(RunSide, arguments, beside)
    events_count = len(own.records)
    whole_ns, bare_ns = _sum(turns, "whole"), _sum(turns, "bare")
    return RunFigures(
        **_ratios(turns),
        ns_per_event=round(whole_ns / events_count),
        ns_per_event_decode_bare=round(bare_ns / events_count),
        events_per_second=round(1e9 * events_count / whole_ns),
        events=events_count,
        invariants=own.invariants_count,
        findings=len(own.finding_ids),
        workload="bench" if recordings is None else WORKLOAD,
        packs_digest=None if recordings is None else packs_digest(),
        recordings_digest=None if recordings is None else RECORDINGS_DIGEST,
        beside=_ratios(others) if others else None,
    )


def _opened(
    file: Path, invariants: Sequence[Path], state: Path, stack: ExitStack, take: Any
) -> Service:
    settings = Settings(
        source=str(file),
        invariants=tuple(map(str, invariants)),
        state_dir=str(state),
        store_synchronous="normal",
        http_enabled=False,
    )
    service = open_service(settings, SystemClock(), stack, take)
    service.loop.start()
    return service


def _write(batch: Batch, committed: Committed) -> None:
    for finding in committed.findings:
        line(finding)


def _ratios(turns: Sequence[Turn]) -> dict[str, Any]:
    bare_ns, whole_ns = _sum(turns, "bare"), _sum(turns, "whole")
    inner = without_cost(turns, PARTS, "whole")
    parts = {part: _sum(inner, part) for part in PARTS}
    outside_ns = sum(ns for part, ns in parts.items() if part not in ("decode", "engine"))
    return {
        "whole_ratio_to_decode": round(whole_ns / bare_ns, 1),
        "outside_ratio": round(outside_ns / bare_ns, 1),
        "parts": {part: round(ns / bare_ns, 2) for part, ns in parts.items()},
    }


def _sum(turns: Sequence[Turn], name: str) -> float:
    return sum(turn.get(name, 0.0) for turn in turns)
