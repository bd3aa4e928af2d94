"""The cost of an ask in process, in turns: a gate that is asked, and bare decoding beside it.

Two gates play the same recorded sessions: one with the packs and the invariants of the engine's
bench, one with the packs alone. Only asks are timed, by the time of this thread; what else happens
in the sessions is reported between them.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from invariants.model.event import RAW_ABSENT
from monitor.bench.bare import bare_decode
from monitor.bench.beside import Turn, take_turns
from monitor.bench.recorded import pack_files, recorded_events
from monitor.clock import SystemClock
from monitor.config.gate import GateSettings
from monitor.config.table import Settings
from monitor.gate.assemble import GateOptions, open_gate
from monitor.gate.gate import TOLD_KINDS, Gate
from monitor.gate.wire import Ask, Telling, Told

TURN_EVENTS: Final = 1_000
BENCH: Final = Path(__file__).with_name("engine.yaml")
PRINCIPAL: Final = "bench"
BYTES_PER_HOUR: Final = 10**12
"""Chosen: more than any run; its agent asks without a pause."""
PLAYED_KINDS: Final = TOLD_KINDS - {"session.started"}
"""A session begins with its first event. A recording's own begin would come after it."""


@dataclass(frozen=True, slots=True)
class AskFigures:
    """The medians over turns: ratios to bare decoding of the request, and an ask in us."""

    ratio: float
    ratio_packs_alone: float
    ask_us: float


class AskSide:
    """The turns of one checkout. After the last one its gates are closed."""

    def __init__(self, events: int, recordings: str) -> None:
        self._records = recorded_events(Path(recordings), events)
        self._stack = ExitStack()
        packs = [str(path) for path in pack_files()]
        self._gates = {"both": self._gate([*packs, str(BENCH)]), "packs": self._gate(packs)}

    def _gate(self, invariants: Sequence[str]) -> Gate:
        name = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-bench-"))
        settings = dataclasses.replace(
            Settings(),
            invariants=tuple(invariants),
            state_dir=str(Path(name, "state")),
            gate=GateSettings(principal_bytes_per_hour=BYTES_PER_HOUR),
        )
        return open_gate(settings, GateOptions(Path(name, "log")), SystemClock(), self._stack)

    def turn(self, number: int) -> Turn | None:
        """The time in ns of the asks of a turn, by gate, and of bare decoding of the same."""
        records = self._records[number * TURN_EVENTS : (number + 1) * TURN_EVENTS]
        if not records:
            self._stack.close()
            return None
        turn: Turn = {}
        for name, gate in self._gates.items():
            asked, turn[name] = _play(gate, records)
            gate.tick()
        begin_ns = time.thread_time_ns()
        for value in asked:
            bare_decode(value)
        turn["bare"] = time.thread_time_ns() - begin_ns
        turn["asks"] = len(asked)
        return turn


def measure_asks(
    events: int, recordings: Path, beside: Path | None = None
) -> tuple[AskFigures, AskFigures | None]:
    """The figures here, and those of another checkout in the same turns."""
    given = {"events": events, "recordings": str(recordings)}
    _, turns, others = take_turns(AskSide, given, beside)
    return _figures(turns), _figures(others) if others else None


def _figures(turns: Sequence[Turn]) -> AskFigures:
    asking = [turn for turn in turns if turn["asks"]]
    return AskFigures(
        ratio=round(statistics.median(turn["both"] / turn["bare"] for turn in asking), 1),
        ratio_packs_alone=round(
            statistics.median(turn["packs"] / turn["bare"] for turn in asking), 1
        ),
        ask_us=round(statistics.median(turn["both"] / turn["asks"] for turn in asking) / 1e3, 1),
    )


def _play(gate: Gate, records: Sequence[bytes]) -> tuple[list[bytes], int]:
    """The requests among some events, and the time in ns that asking for them took."""
    asked, total_ns = [], 0
    for value in records:
        record = bare_decode(value)
        if record.kind == "tool.requested":
            args = record.args if bytes(record.args) else RAW_ABSENT
            ask = Ask(record.session, record.tool, args, call=record.call)
            begin_ns = time.thread_time_ns()
            gate.ask(PRINCIPAL, ask)
            total_ns += time.thread_time_ns() - begin_ns
            asked.append(value)
        elif record.kind in PLAYED_KINDS:
            gate.tell(PRINCIPAL, Telling(record.session, [_told(record)]))
    return asked, total_ns


def _told(record: Any) -> Told:
    names = ("kind", "tool", "call", "error", "text")
    raws = {name: getattr(record, name) for name in ("args", "result")}
    return Told(
        **{name: getattr(record, name) for name in names},
        **{name: raw for name, raw in raws.items() if bytes(raw)},
    )
