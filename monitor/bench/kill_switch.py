"""`interlock bench kill-switch`: from the event that breaks an invariant to the first refusal.

Real Kafka, a real `interlock run` with its store at `synchronous: full`, and a real client in
another process. Three phases: how fast the monitor works off a backlog (its maximum rate), kills
while nothing else happens, kills at half the maximum rate. The load is published by this process,
by our own client.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Final

import msgspec

from interlock import Client, ClientOptions
from invariants.model.errors import ConfigError, InterlockError
from monitor.bench.workload import SESSIONS_COUNT, make_events
from monitor.clock import SystemClock
from monitor.store.store import STORE_FILE, Store, StoreError
from monitor.topics import APPROVALS, EVENTS, POLICIES
from monitor.transport.kafka.client import open_admin, open_consumer
from monitor.transport.kafka.topic_config import init_topics

BACKLOG_EVENTS: Final = 40_000
PATIENCE_S: Final = 120.0
PACE_S: Final = 0.01
LOOK_EVERY_S: Final = 0.02
WARM_UP_SHARE: Final = 0.25
"""Events of the backlog before the rate is measured: one-time work of a process does not count."""

BLOCK_EVENTS: Final = 50 * SESSIONS_COUNT
RENAMED: Final = (
    (b'"tool":"shell.run"', b'"tool":"shell_run"'),
    (b'"tool":"db.query"', b'"tool":"db_query"'),
    (b'"tool":"db.delete"', b'"tool":"db_delete"'),
    (b'"kind":"approval.granted"', b'"kind":"approval.requested"'),
)

RATE_METHOD: Final = (
    "the monitor alone works off a backlog published before it started; records stored per second "
    "between a quarter of it and its end"
)


class BenchError(InterlockError):
    """The measurement was not possible; the message contains the reason."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long sessions went on after they had broken the invariant, in ms."""

    sessions: int
    missed: int
    """Sessions that no `guard` refused within ten seconds. Any of them is a fault."""
    p50_ms: float
    p90_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(frozen=True, slots=True)
class KillSwitchFigures:
    """The results of one run."""

    idle_p50_ms: float
    idle_p99_ms: float
    half_load_p50_ms: float
    half_load_p99_ms: float
    idle: Latencies
    half_load: Latencies
    maximum_rate_events_per_second: int
    maximum_rate_method: str
    half_load_events_per_second: int
    """The actual rate of publishing while the sessions of the second phase were killed."""
    fsync_p50_ms: float
    """The time this disk takes to make 4 KiB durable: a kill includes three such waits."""
    partitions: int
    store_synchronous: str
    processors: int


def measure_kill_switch(
    bootstrap: str, folder: Path, sessions_count: int, backlog_events: int = BACKLOG_EVENTS
) -> KillSwitchFigures:
    """Measure on this broker; `folder` takes the monitor's state.

    Raises
    ------
    BenchError
        The monitor or the agent ended with an error, or did not keep up.
    """
    init_topics(bootstrap, 12, -1)
    partitions = _partitions_count(bootstrap)
    topic = f"{EVENTS}.bench-{os.getpid()}-{time.time_ns() // 1_000_000}"
    init_topics(bootstrap, partitions, -1, topics={topic: POLICIES[EVENTS]})
    target = f"kafka://{bootstrap}/{topic}"
    try:
        _publish(target, islice(_events("backlog"), backlog_events))
        with _monitor(bootstrap, topic, folder) as monitor:
            rate = _drain_rate(monitor, topic, folder, backlog_events)
            idle = _kills(target, sessions_count, 1, monitor)
            with _Load(target, rate / 2) as load:
                half = _kills(target, sessions_count, 2, monitor)
    finally:
        admin = open_admin(bootstrap, {})
        admin.delete_topics([topic])
        admin.close()
    return KillSwitchFigures(
        idle_p50_ms=idle.p50_ms,
        idle_p99_ms=idle.p99_ms,
        half_load_p50_ms=half.p50_ms,
        half_load_p99_ms=half.p99_ms,
        idle=idle,
        half_load=half,
        maximum_rate_events_per_second=round(rate),
        maximum_rate_method=RATE_METHOD,
        half_load_events_per_second=round(load.rate),
        fsync_p50_ms=_fsync_ms(folder),
        partitions=partitions,
        store_synchronous="full",
        processors=len(os.sched_getaffinity(0)),
    )


def latencies(took_ns: Sequence[int | None]) -> Latencies:
    """Percentiles by nearest rank; a session that was never refused counts as ten seconds."""
    ms = sorted((10_000.0 if ns is None else ns / 1e6) for ns in took_ns)

    def percentile(share: float) -> float:
        return round(ms[max(0, math.ceil(share * len(ms)) - 1)], 2)

    return Latencies(
        sessions=len(ms),
        missed=sum(ns is None for ns in took_ns),
        p50_ms=percentile(0.5),
        p90_ms=percentile(0.9),
        p99_ms=percentile(0.99),
        worst_ms=percentile(1),
    )


def _events(phase: str) -> Iterator[bytes]:
    """An endless stream of the engine benchmark's events, in sessions of fifty named after the
    phase.

    The tools in invariants that those events violate by the hundred are renamed, and no agent
    grants itself an approval: this measures monitoring, not a flood of alerts.
    """
    block = make_events(BLOCK_EVENTS)
    for old, new in RENAMED:
        block = [event.replace(old, new) for event in block]
    for number in count():
        name = f'"session":"{phase}-{number}'.encode()
        yield from (event.replace(b'"session":"bench', name) for event in block)


def _publish(target: str, events: Iterable[bytes]) -> None:
    with Client(target, ClientOptions(control=False, block_ms_max=60_000, linger_ms=5)) as client:
        for event in events:
            client.publish_recorded(event)
        if not client.flush(PATIENCE_S) or client.stats().dropped:
            raise BenchError(f"the broker did not take the events: {client.stats().last_error}")


@contextmanager
def _monitor(bootstrap: str, topic: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real monitor on the events of this bench, ended with the block."""
    here = Path(__file__).parent
    source = f"kafka://{bootstrap}/{topic}?group={topic}&instance=bench"
    command = [sys.executable, "-m", "monitor.cli", "run", "--source", source]
    command += ["--invariants", f"{here / 'engine.yaml'},{here / 'kill_switch.yaml'}"]
    command += ["--state-dir", str(folder / "state"), "--store-synchronous", "full"]
    command += ["--http-port", "0", "--respond-enforcing-per-hour-max", "1000000"]
    # One topic is one principal: stopped with the first session, it would stop all others.
    command += ["--no-respond-principal"]
    with (folder / "monitor.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # It can stop sessions: without this the broker's `interlock control wait` waits for it.
        retire = [sys.executable, "-m", "monitor.cli", "control", "retire", f"group:{topic}"]
        subprocess.run(  # noqa: S603 - our own command
            [*retire, "--source", f"kafka://{bootstrap}"], capture_output=True, check=False
        )


def _drain_rate(
    monitor: subprocess.Popen[bytes], topic: str, folder: Path, backlog_events: int
) -> float:
    """Records a second between a quarter of the backlog and its end."""
    deadline = time.monotonic() + PATIENCE_S
    first: tuple[float, int] | None = None
    while time.monotonic() < deadline:
        _must_live(monitor, folder)
        now, stored = time.monotonic(), _stored_count(folder / "state" / STORE_FILE, topic)
        if first is None and stored >= WARM_UP_SHARE * backlog_events:
            first = now, stored
        if stored >= backlog_events:
            if first is None or stored == first[1]:
                raise BenchError("the backlog is too small for a rate; take more events")
            return (stored - first[1]) / (now - first[0])
        time.sleep(LOOK_EVERY_S)
    raise BenchError(f"the monitor did not work off {backlog_events} events in {PATIENCE_S:g} s")


def _stored_count(path: Path, topic: str) -> int:
    if not path.exists():
        return 0
    try:
        store = Store(path, clock=SystemClock(), is_read_only=True)
    except (StoreError, ConfigError):
        return 0  # The monitor is making its tables.
    try:
        positions = store.load_positions()
    except StoreError:
        return 0
    finally:
        store.close()
    return sum(p.next_offset for stream, p in positions.items() if stream.topic == topic)


def _kills(
    target: str, sessions_count: int, seed: int, monitor: subprocess.Popen[bytes]
) -> Latencies:
    command = [sys.executable, "-m", "monitor.bench.kill_switch_agent", target]
    command += [str(sessions_count), str(seed)]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, check=False, timeout=3_600
    )
    if done.returncode or monitor.poll() is not None:
        raise BenchError(f"the agent failed: {done.stderr.decode(errors='replace')[-500:]}")
    return latencies(msgspec.json.decode(done.stdout, type=list[int | None]))


class _Load:
    """Publishes events at a steady rate for as long as the block lasts."""

    def __init__(self, target: str, rate: float) -> None:
        self._target = target
        self._wanted_rate = rate
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-load")
        self.rate = 0.0

    def __enter__(self) -> _Load:
        self._thread.start()
        # The first second is the connection's, not the load's.
        self._stopping.wait(1)
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        sent = 0
        coming = _events("load")
        with Client(self._target, ClientOptions(control=False, block_ms_max=1_000)) as client:
            began = time.monotonic()
            while not self._stopping.wait(PACE_S):
                due = int((time.monotonic() - began) * self._wanted_rate) - sent
                for event in islice(coming, max(0, due)):
                    client.publish_recorded(event)
                    sent += 1
            lasted_s = time.monotonic() - began
        self.rate = client.stats().published / lasted_s


def _partitions_count(bootstrap: str) -> int:
    consumer = open_consumer(bootstrap, {})
    count = len(consumer.partitions_for_topic(APPROVALS) or ())
    consumer.close()
    return count


def _must_live(monitor: subprocess.Popen[bytes], folder: Path) -> None:
    if monitor.poll() is not None:
        told = (folder / "monitor.log").read_text(errors="replace")[-500:]
        raise BenchError(f"the monitor ended: {told}")


def _fsync_ms(folder: Path) -> float:
    """The median of 30 times 4 KiB made durable, one after the other."""
    took = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(30):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return round(sorted(took)[len(took) // 2], 3)
