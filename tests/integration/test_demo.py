"""`make demo`, as it is run: what it shows must be what happened, however slow the machine.

One run is pinned to one processor, beside two loops that want all of it; in the other one the
monitor stands still for seconds at a time. What happens must not depend on either.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.agents.run import jobs
from fixtures.agents.world import requests
from monitor.clock import SystemClock
from monitor.findings.model import Finding
from monitor.store.lock import LOCK_FILE
from monitor.store.records import FindingFilter
from monitor.store.store import STORE_FILE, Store

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 1_200
"""Only against waiting for ever: a minute or two is usual, and more where others run beside it."""

BUSY = f"import time\nend = time.monotonic() + {SECONDS_MAX}\nwhile time.monotonic() < end: pass"
STALLS_S = (0.5, 2.0, 7.0)
"""The longest is above the time for which a log directory's order is kept (5 s)."""
RUNS_S = 1.0

LAST_LINE = re.compile(r"demo: (\d+) sessions, (\d+) events, (\d+) findings, (\d+) quarantined\n\Z")


@contextlib.contextmanager
def one_busy_processor() -> Iterator[int]:
    """The number of a processor on which two loops run, for as long as this lasts."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system pins no process to a processor")
    number = min(os.sched_getaffinity(0))
    loops = [
        subprocess.Popen([sys.executable, "-c", BUSY], preexec_fn=lambda: pin(number))
        for _ in range(2)
    ]
    try:
        yield number
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def pin(number: int) -> None:
    os.sched_setaffinity(0, {number})


@contextlib.contextmanager
def stalls_of(directory: Path) -> Iterator[None]:
    """Stops the monitor of a demo for longer and longer times, and lets it go on in between."""
    is_over = threading.Event()

    def stall() -> None:
        for seconds in itertools.cycle(STALLS_S):
            if is_over.wait(RUNS_S):
                return
            if (pid := holder_of(directory / "state")) is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                is_over.wait(seconds)
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def holder_of(state: Path) -> int | None:
    """The process that holds the state directory, as its lock says; None where it is over."""
    try:
        number = int((state / LOCK_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    # Its number may be somebody else's by now, who must not be stopped.
    shown = subprocess.run(
        ["ps", "-o", "args=", "-p", str(number)], capture_output=True, text=True, check=False
    )
    return number if f"--state-dir {state}" in shown.stdout else None


def run_demo(directory: Path, mode: str, processor: int | None = None) -> str:
    command = [sys.executable, "-m", "fixtures.demo", "--directory", str(directory)]
    done = subprocess.run(
        [*command, "--mode", mode],
        cwd=ROOT,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
        text=True,
        preexec_fn=None if processor is None else lambda: pin(processor),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def findings_of(directory: Path) -> list[Finding]:
    path = directory / "state" / STORE_FILE
    with closing(Store(path, clock=SystemClock(), is_read_only=True)) as store:
        return [stored.finding for stored in store.findings(FindingFilter(limit=100_000))]


def replay(recording: Path) -> set[str]:
    """The ids that `interlock replay` finds in a recording."""
    command = [sys.executable, "-m", "monitor.cli", "replay", str(recording), "--output", "json"]
    command += ["--detector-model", str(recording.with_name("model"))]
    command += ["--digest-key-file", str(recording.parent / "state" / "digest.key")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return {finding["id"] for finding in json.loads(done.stdout)["findings"]}


def markers(directory: Path) -> set[str]:
    """The parts of secrets that reached the outside server, by its own log."""
    arrived = requests(directory / "workspace" / "outside.jsonl")
    return {marker for request in arrived for marker in request["markers"]}


def hijacked_and_honest() -> tuple[set[str], set[str]]:
    work = jobs("all", 1, ())
    hijacked = {job.session for job in work if job.version == "hijacked"}
    return hijacked, {job.session for job in work} - hijacked


@pytest.mark.timeout(SECONDS_MAX + 200)
def test_in_enforce_mode_the_hijacked_are_stopped(tmp_path: Path) -> None:
    """Every hijacked session is noticed and stopped, no honest one is, and the log shows it."""
    with one_busy_processor() as processor:
        told = run_demo(tmp_path, "enforce", processor)
    match = LAST_LINE.search(told)
    assert match, told[-500:]
    found = findings_of(tmp_path)
    assert int(match[3]) == len(found)
    loud = {f.session for f in found if f.severity in ("warning", "critical")}
    hijacked, honest = hijacked_and_honest()
    assert hijacked <= loud
    assert not honest & loud
    assert "False alarms: 0 of " in told
    assert told.splitlines()[-2] == str(tmp_path / "incident.html")
    page = (tmp_path / "incident.html").read_text()
    assert "The replay and the live monitor have the same findings" in page
    stopped = {f.session: f.id for f in found if f.severity == "critical"}  # The first of each.
    assert all(first in page for session, first in stopped.items() if session in hijacked)
    replayed = replay(tmp_path / "recording.jsonl.gz")
    assert replayed == {f.id for f in found}, "live, recorded and replayed are one"
    # Whoever waits until what it did was judged gets one call through, and never a second.
    assert {m for m in markers(tmp_path) if m.startswith("secret")} == {"secret-0"}
    # Whoever asks before each call gets none through.
    gated = {job.session for job in jobs("all", 1, is_gated=True) if job.version == "hijacked"}
    assert gated <= loud
    assert told.count("was refused before it ran") == len(gated)
    arrived = requests(tmp_path / "gated" / "workspace" / "outside.jsonl")
    assert arrived and not any(request["markers"] for request in arrived)
    prevented = {f.session for f in found if f.prevention == "prevented"}
    assert len(prevented & gated) >= len(gated) - 1, "one is only known by the answers it got"


@pytest.mark.timeout(SECONDS_MAX + 200)
def test_in_observe_mode_the_attack_arrives(tmp_path: Path) -> None:
    """Nobody is stopped: the same sessions are noticed, and every part of the secret gets out."""
    with stalls_of(tmp_path):
        told = run_demo(tmp_path, "observe")
    match = LAST_LINE.search(told)
    assert match and match[4] == "0", told[-500:]
    hijacked, honest = hijacked_and_honest()
    loud = {f.session for f in findings_of(tmp_path) if f.severity in ("warning", "critical")}
    assert hijacked <= loud
    assert not honest & loud
    assert {f"secret-{number}" for number in range(6)} <= markers(tmp_path)
