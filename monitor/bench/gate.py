"""`interlock bench gate`: the cost of asking before a call, as ratios of one run.

In process: an ask, recorded and taken in, relative to the bare decoding of the same request. Over a
socket: the latency of an ask relative to an echo of the same bytes by the same server library,
which appends them to a file. Recorded sessions are played: the events between calls are reported,
and not timed. Requests to gate and echo alternate, so that a machine that slows down slows both.
"""

from __future__ import annotations

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
from typing import Final, NamedTuple

import msgspec

from invariants.model.errors import ConfigError
from monitor.bench.gate_ask import BENCH, TURN_EVENTS, AskFigures, measure_asks
from monitor.bench.gate_load import Step, Talk, shared_out, steps_of
from monitor.bench.recorded import pack_files, recorded_events

AGENTS: Final = 64
ROUNDS: Final = 5
EVENTS_OF_RATE: Final = 4_000
"""Chosen: one agent may open the sessions of as many."""
EVENTS_OF_PART: Final = 2_000
"""Chosen: the first events of the recordings, which an agent beside a flood plays."""
READY_S: Final = 120.0


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
    beside: AskFigures | None
    """The asks in process of another checkout, in the same turns."""


class SocketTurn(NamedTuple):
    """The latencies in ns of each ask of a turn at the gate, and of its bytes at the echo."""

    asked: list[int]
    echoed: list[int]


class Latency(NamedTuple):
    """A quantile of both, and the ratio of the two."""

    ratio: float
    asked_ns: float
    echoed_ns: float


def measure_gate(events_count: int, recordings: Path, beside: Path | None = None) -> GateFigures:
    """Measure everything, one part after the other.

    Raises
    ------
    ConfigError
        There are no requests among the events, or the bench does not run on the checkout `beside`.
    """
    records = recorded_events(recordings, events_count)
    if not any(step.is_ask for step in steps_of(records[:EVENTS_OF_PART], "")):
        raise ConfigError("there is no request among so few events; set `--events` to 1000 or more")
    packs = [str(path) for path in pack_files()]
    own, other = measure_asks(events_count, recordings, beside)
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        tokens = [secrets.token_hex(16) for _ in range(AGENTS + 1)]
        gate = stack.enter_context(_server(folder, [*packs, str(BENCH)], tokens))
        echo = stack.enter_context(_echo(folder))
        turns = _turns(gate, echo, tokens[:AGENTS], records)
        one = _rate(gate, tokens[:1], records, "alone")
        many = _rate(gate, tokens[:AGENTS], records, "many")
        quiet, flooded = _beside_flood(gate, tokens, records)
    start_ms, python_ms = _start(packs)
    median, tail = _over(turns, 0.5), _over(turns, 0.99)
    return GateFigures(
        ask_ratio_to_decode=own.ratio,
        ask_ratio_to_decode_packs_alone=own.ratio_packs_alone,
        socket_ratio_to_echo_p50=round(median.ratio, 2),
        socket_ratio_to_echo_p99=round(tail.ratio, 2),
        throughput_ratio=round(many / one, 2),
        flood_ratio_p99=round(_at(flooded, 0.99) / _at(quiet, 0.99), 2),
        start_over_python=round(start_ms / python_ms, 2),
        ask_us=own.ask_us,
        socket_p50_us=round(median.asked_ns / 1e3),
        socket_p99_us=round(tail.asked_ns / 1e3),
        echo_p50_us=round(median.echoed_ns / 1e3),
        echo_p99_us=round(tail.echoed_ns / 1e3),
        asks_per_second_one=round(one),
        asks_per_second_many=round(many),
        neighbour_p99_us=round(_at(quiet, 0.99) / 1e3),
        neighbour_flooded_p99_us=round(_at(flooded, 0.99) / 1e3),
        start_ms=round(start_ms),
        asks=sum(len(turn.asked) for turn in turns),
        beside=other,
    )


def _turns(
    gate: Path, echo: Path, tokens: Sequence[str], records: Sequence[bytes]
) -> list[SocketTurn]:
    """All turns but the first, which is the warm-up; each is played by another agent."""
    turns = []
    with closing(Talk(str(echo))) as echoes:
        for number in range(-(-len(records) // TURN_EVENTS)):
            turn = records[number * TURN_EVENTS : (number + 1) * TURN_EVENTS]
            with closing(Talk(str(gate), tokens[number % len(tokens)])) as asks:
                turns.append(_alternate(asks, echoes, steps_of(turn, f"turn-{number}")))
    asking = [turn for turn in turns if turn.asked]
    return asking[1:] or asking


def _alternate(gate: Talk, echo: Talk, steps: Sequence[Step]) -> SocketTurn:
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
    return SocketTurn(asked, echoed)


def _over(turns: Sequence[SocketTurn], share: float) -> Latency:
    """The medians over turns of a quantile."""
    pairs = [(_at(turn.asked, share), _at(turn.echoed, share)) for turn in turns]
    asked, echoed = zip(*pairs, strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    return Latency(ratio, statistics.median(asked), statistics.median(echoed))


def _rate(socket_path: Path, tokens: Sequence[str], records: Sequence[bytes], name: str) -> float:
    """Requests a second of some agents at once; they share the sessions of the recordings."""
    parts = shared_out(records[:EVENTS_OF_RATE], len(tokens))
    plays = [steps_of(part, name) for part in parts]

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
    quiet = _asks(socket_path, tokens[1], steps_of(records[:EVENTS_OF_PART], "quiet"))
    command = [sys.executable, "-m", "monitor.bench.gate_load", str(socket_path), tokens[AGENTS]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:  # noqa: S603
        try:
            assert flood.stdout is not None and flood.stdout.readline(), "it says that it floods"
            steps = steps_of(records[:EVENTS_OF_PART], "flooded")
            return quiet, _asks(socket_path, tokens[1], steps)
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
