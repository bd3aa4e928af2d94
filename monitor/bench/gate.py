"""`interlock bench gate`: the cost of asking before a call, as ratios of one run.

In process: an ask, recorded and taken in, relative to the bare decoding of the same request. Over a
socket: the latency of an ask relative to an echo of the same bytes by the same server library,
which appends them to a file. Recorded sessions are played: the events between calls are reported,
and not timed. Requests to gate and echo alternate, so that a machine that slows down slows both.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from invariants.model.event import RAW_ABSENT
from monitor.bench.bare import bare_decode
from monitor.bench.gate_load import Step, Talk, steps_of
from monitor.bench.recorded import pack_files, recorded_events
from monitor.clock import SystemClock
from monitor.config.table import Settings
from monitor.gate.assemble import GateOptions, open_gate
from monitor.gate.gate import Gate
from monitor.gate.wire import Ask, Telling, Told

TURN_EVENTS: Final = 1_000
AGENTS: Final = 64
ROUNDS: Final = 5
READY_S: Final = 120.0
BENCH: Final = Path(__file__).with_name("engine.yaml")
PRINCIPAL: Final = "bench"


@dataclass(frozen=True, slots=True)
class GateFigures:
    """The results of one run; times in us are medians, and depend on the machine."""

    ask_ratio_to_decode: float
    ask_ratio_to_decode_packs_alone: float
    socket_ratio_to_echo_p50: float
    socket_ratio_to_echo_p99: float
    throughput_ratio: float
    flood_ratio_p99: float
    start_over_python: float
    ask_us: float
    socket_p50_us: float
    socket_p99_us: float
    echo_p50_us: float
    echo_p99_us: float
    asks_per_second_one: float
    asks_per_second_many: float
    neighbour_p99_us: float
    neighbour_flooded_p99_us: float
    start_ms: float
    asks: int


def measure_gate(events_count: int, recordings: Path) -> GateFigures:
    """Measure everything, one part after the other."""
    records = recorded_events(recordings, events_count)
    packs = [str(path) for path in pack_files()]
    both, ask_us = _in_process([*packs, str(BENCH)], records)
    alone, _ = _in_process(packs, records)
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        tokens = [secrets.token_hex(16) for _ in range(AGENTS + 1)]
        gate = stack.enter_context(_server(folder, [*packs, str(BENCH)], tokens))
        echo = stack.enter_context(_echo(folder))
        steps = steps_of(records, "one")
        with closing(Talk(str(gate), tokens[0])) as asks, closing(Talk(str(echo))) as echoes:
            asked, echoed = _alternate(asks, echoes, steps)
        one = _rate(gate, tokens[:1], records, "alone")
        many = _rate(gate, tokens[:AGENTS], records, "many")
        quiet, flooded = _beside_flood(gate, tokens, records)
    start_ms, python_ms = _start(packs)
    return GateFigures(
        ask_ratio_to_decode=both,
        ask_ratio_to_decode_packs_alone=alone,
        socket_ratio_to_echo_p50=round(_at(asked, 0.5) / _at(echoed, 0.5), 2),
        socket_ratio_to_echo_p99=round(_at(asked, 0.99) / _at(echoed, 0.99), 2),
        throughput_ratio=round(many / one, 2),
        flood_ratio_p99=round(_at(flooded, 0.99) / _at(quiet, 0.99), 2),
        start_over_python=round(start_ms / python_ms, 2),
        ask_us=ask_us,
        socket_p50_us=round(_at(asked, 0.5) / 1e3),
        socket_p99_us=round(_at(asked, 0.99) / 1e3),
        echo_p50_us=round(_at(echoed, 0.5) / 1e3),
        echo_p99_us=round(_at(echoed, 0.99) / 1e3),
        asks_per_second_one=round(one),
        asks_per_second_many=round(many),
        neighbour_p99_us=round(_at(quiet, 0.99) / 1e3),
        neighbour_flooded_p99_us=round(_at(flooded, 0.99) / 1e3),
        start_ms=round(start_ms),
        asks=len(asked),
    )


def _in_process(invariants: Sequence[str], records: Sequence[bytes]) -> tuple[float, float]:
    """The ratio of an ask to bare decoding, as the median over turns; and an ask in us."""
    ratios, asks_ns = [], []
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        settings = dataclasses.replace(
            Settings(), invariants=tuple(invariants), state_dir=str(folder / "state")
        )
        gate = open_gate(settings, GateOptions(folder / "log"), SystemClock(), stack)
        for begin in range(0, len(records), TURN_EVENTS):
            turn = records[begin : begin + TURN_EVENTS]
            asked, asked_ns = _play(gate, turn)
            gate.tick()
            if asked:
                begin_ns = time.thread_time_ns()
                for value in asked:
                    bare_decode(value)
                bare_ns = time.thread_time_ns() - begin_ns
                ratios.append(asked_ns / bare_ns)
                asks_ns.append(asked_ns / len(asked))
    return round(statistics.median(ratios), 1), round(statistics.median(asks_ns) / 1e3, 1)


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
        elif record.kind.startswith(("message.", "tool.")):
            names = ("kind", "tool", "call", "error", "text")
            raws = {name: getattr(record, name) for name in ("args", "result")}
            told = Told(
                **{name: getattr(record, name) for name in names},
                **{name: raw for name, raw in raws.items() if bytes(raw)},
            )
            gate.tell(PRINCIPAL, Telling(record.session, [told]))
    return asked, total_ns


def _alternate(gate: Talk, echo: Talk, steps: Sequence[Step]) -> tuple[list[int], list[int]]:
    """The latencies in ns of each ask at the gate, and of its bytes at the echo."""
    asked, echoed = [], []
    gc.disable()
    try:
        for step in steps:
            took_ns, status, body = gate.ask(step.path, step.body)
            assert status == 200, body[:300]
            if step.is_ask:
                asked.append(took_ns)
                echoed.append(echo.ask("/", step.body)[0])
    finally:
        gc.enable()
    warm = len(asked) // 10
    return asked[warm:], echoed[warm:]


def _rate(socket_path: Path, tokens: Sequence[str], records: Sequence[bytes], name: str) -> float:
    """Requests a second of some agents at once; each plays its share of the recordings."""
    share = max(1, min(len(records), 4_000) // len(tokens))
    plays = [
        steps_of(records[n * share : (n + 1) * share], f"{name}-{n}") for n in range(len(tokens))
    ]

    def play(token: str, steps: Sequence[Step]) -> None:
        with closing(Talk(str(socket_path), token)) as talk:
            for step in steps:
                _, status, body = talk.ask(step.path, step.body)
                assert status == 200, body[:300]

    threads = [threading.Thread(target=play, args=pair) for pair in zip(tokens, plays, strict=True)]
    begin_ns = time.perf_counter_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(map(len, plays)) * 1e9 / (time.perf_counter_ns() - begin_ns)


def _beside_flood(
    socket_path: Path, tokens: Sequence[str], records: Sequence[bytes]
) -> tuple[list[int], list[int]]:
    """The latencies in ns of one agent's asks, alone and beside a flood of another's."""
    quiet = _asks(socket_path, tokens[0], steps_of(records[:2_000], "quiet"))
    command = [sys.executable, "-m", "monitor.bench.gate_load", str(socket_path), tokens[AGENTS]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:  # noqa: S603
        try:
            assert flood.stdout is not None and flood.stdout.readline(), "it says that it floods"
            steps = steps_of(records[:2_000], "flooded")
            return quiet, _asks(socket_path, tokens[0], steps)
        finally:
            flood.kill()


def _asks(socket_path: Path, token: str, steps: Sequence[Step]) -> list[int]:
    taken = []
    with closing(Talk(str(socket_path), token)) as talk:
        for step in steps:
            took_ns, status, body = talk.ask(step.path, step.body)
            assert status == 200, body[:300]
            if step.is_ask:
                taken.append(took_ns)
    return taken


def _start(packs: Sequence[str]) -> tuple[float, float]:
    """The time in ms from starting a gate to its first answer, and of `python -c pass`."""
    starts, pythons = [], []
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        folder = Path(name)
        for number in range(ROUNDS + 1):
            begin_ns = time.perf_counter_ns()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            python_ns = time.perf_counter_ns() - begin_ns
            begin_ns = time.perf_counter_ns()
            token = secrets.token_hex(16)
            with _server(folder, packs, [token]) as path:
                body = msgspec.json.encode({"session": f"s-{number}", "tool": "search"})
                with closing(Talk(str(path), token)) as talk:
                    assert talk.ask("/v1/ask", body)[1] == 200, "an answer"
                start_ns = time.perf_counter_ns() - begin_ns
            if number:  # The first round leaves compiled modules and the image of the program.
                starts.append(start_ns)
                pythons.append(python_ns)
    return statistics.median(starts) / 1e6, statistics.median(pythons) / 1e6


@contextmanager
def _server(folder: Path, invariants: Sequence[str], tokens: Sequence[str]) -> Iterator[Path]:
    """A gate in a process of its own; its socket."""
    socket_path, principals = folder / "gate.sock", folder / "principals.yaml"
    lines = ["versions:", "  - version: 1", "    since: 2026-01-01T00:00:00Z", "    principals:"]
    for number, token in enumerate(tokens):
        digest = hashlib.sha256(token.encode()).hexdigest()
        lines.append(f"      agent-{number}: {{token_sha256: {digest}}}")
    principals.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "monitor.cli", "gate", "serve"]
    command += ["--invariants", ",".join(invariants), "--listen", f"unix:{socket_path}"]
    command += ["--publish", f"log:{folder / 'log'}", "--state-dir", str(folder / "state")]
    command += ["--principals", str(principals), "--log-level", "error"]
    with _running(command, socket_path):
        yield socket_path


@contextmanager
def _echo(folder: Path) -> Iterator[Path]:
    socket_path = folder / "echo.sock"
    command = [sys.executable, "-m", "monitor.bench.gate_echo", str(socket_path)]
    with _running([*command, str(folder / "echo.jsonl")], socket_path):
        yield socket_path


@contextmanager
def _running(command: Sequence[str], socket_path: Path) -> Iterator[None]:
    process = subprocess.Popen(command)  # noqa: S603 (our own interpreter and modules)
    try:
        deadline = time.monotonic() + READY_S
        while not _answers(socket_path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"`{command[3]}` of the bench does not answer")
            time.sleep(0.002)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(socket_path: Path) -> bool:
    with closing(Talk(str(socket_path))) as talk:
        try:
            talk.connect()
        except OSError:
            return False
        return True


def _at(values: Sequence[int], share: float) -> int:
    """A quantile."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
