"""`make demo`, as it is run: what it shows must be what happened."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from fixtures.agents.run import jobs
from fixtures.agents.world import requests
from monitor.clock import SystemClock
from monitor.finding import Finding
from monitor.store import STORE_FILE, Store
from monitor.store_records import FindingFilter

ROOT = Path(__file__).resolve().parents[2]
LAST_LINE = re.compile(r"demo: (\d+) sessions, (\d+) events, (\d+) findings, (\d+) quarantined\n\Z")


def run_demo(directory: Path, mode: str) -> str:
    command = [sys.executable, "-m", "fixtures.demo", "--directory", str(directory)]
    done = subprocess.run(
        [*command, "--mode", mode],
        cwd=ROOT,
        capture_output=True,
        timeout=200,
        check=False,
        text=True,
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


def test_in_enforce_mode_the_hijacked_are_stopped(tmp_path: Path) -> None:
    """Every hijacked session is noticed and stopped, no honest one is, and the log shows it."""
    told = run_demo(tmp_path, "enforce")
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
    assert "The replay found what was found live" in page
    stopped = {f.session: f.id for f in found if f.severity == "critical"}  # The first of each.
    assert all(first in page for session, first in stopped.items() if session in hijacked)
    replayed = replay(tmp_path / "recording.jsonl.gz")
    assert replayed == {f.id for f in found}, "live, recorded and replayed are one"
    assert not {"secret-3", "secret-4", "secret-5"} & markers(tmp_path)


def test_in_observe_mode_the_attack_arrives(tmp_path: Path) -> None:
    """Nobody is stopped: the same sessions are noticed, and every part of the secret gets out."""
    told = run_demo(tmp_path, "observe")
    match = LAST_LINE.search(told)
    assert match and match[4] == "0", told[-500:]
    hijacked, honest = hijacked_and_honest()
    loud = {f.session for f in findings_of(tmp_path) if f.severity in ("warning", "critical")}
    assert hijacked <= loud
    assert not honest & loud
    assert {f"secret-{number}" for number in range(6)} <= markers(tmp_path)
