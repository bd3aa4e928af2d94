"""`interlock doctor` on real parts: a gate, log directories, a state, and hostile peers."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.config.table import TABLE
from monitor.doctor.ask_gate import ask_gate
from monitor.doctor.diagnosis import worst
from monitor.doctor.gate import judge_gate
from tests.integration.test_gate_client_hostile import HOSTILE
from tests.support.agents_gate import INVARIANTS, AgentsGate
from tests.support.faulty_line import FaultyLine
from tests.support.kafka_broker import CHECKOUT, free_port
from tests.support.monitor_process import ENTRY, PATIENCE_S, MonitorProcess

Checks = dict[str, dict[str, Any]]


def doctor(*arguments: str, code: int, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    done = subprocess.run(
        [*ENTRY, "doctor", *arguments],
        cwd=CHECKOUT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def checks(*arguments: str, code: int, **environment: str) -> Checks:
    """The diagnoses that are there once, by their checks."""
    told = json.loads(doctor(*arguments, "--output", "json", code=code, **environment))
    assert told["outcome"] == {0: "ok", 1: "trouble", 4: "unknown"}[code]
    return {one["check"]: one for one in told["checks"]}


def settings_of(gate: AgentsGate, folder: Path) -> str:
    """The settings of the gate's process, in a file."""
    file = folder / "interlock.yaml"
    content = {
        "invariants": [str(gate.folder / "gate.yaml")],
        "state_dir": str(gate.folder / "state"),
        "principals": str(gate.folder / "principals.yaml"),
        "gate": {"listen": gate.address, "publish": f"log:{gate.folder / 'log'}"},
    }
    file.write_text(json.dumps(content))
    return str(file)


def everything(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Each file below a folder, with its size, its mode and the time of its last change."""
    found = {str(path): path.lstat() for path in sorted(folder.rglob("*"))}
    return {name: (one.st_size, one.st_mode, one.st_mtime_ns) for name, one in found.items()}


def test_a_gate_that_is_well(gate: AgentsGate, tmp_path: Path) -> None:
    """Every required check is ok, nothing is changed, and the token is not shown."""
    before = everything(gate.folder)
    token = tmp_path / "token"
    token.write_text(gate.token)
    token.chmod(0o600)
    found = checks("--config", settings_of(gate, tmp_path), "--token-file", str(token), code=0)
    assert found["gate.principal"]["text"].startswith("may ask before calls, may not decide")
    assert found["state.lock"]["text"].startswith("process ")
    assert {
        found[name]["outcome"]
        for name in ("state.program", "gate.program", "gate.socket", "clock.gate")
    } == {"ok"}
    assert gate.token not in json.dumps(found)
    assert everything(gate.folder) == before


def test_the_text_has_a_line_for_each_check(gate: AgentsGate, tmp_path: Path) -> None:
    """And ends with the sum."""
    told = doctor("--config", settings_of(gate, tmp_path), code=0).splitlines()
    assert all(line.startswith("ok ") for line in told[:-1])
    assert told[-1].endswith(" ok, 0 trouble, 0 unknown: ok")


@pytest.mark.parametrize("token", ["wrong", "token-of-the-operator-in-tests"])
def test_the_rights_of_a_token(gate: AgentsGate, token: str) -> None:
    """One that nobody has, and one of an operator."""
    code = 1 if token == "wrong" else 0
    found = checks("--gate", gate.url, code=code, INTERLOCK_GATE_TOKEN=token)
    text = found["gate.principal"]["text"]
    assert ("knows no principal" in text) is (code == 1)
    assert ("may decide about held calls" in text) is (code == 0)
    assert token not in json.dumps(found) or token == "wrong"


def test_a_token_that_others_can_read(gate: AgentsGate, tmp_path: Path) -> None:
    """The command that mends it mends it."""
    token = tmp_path / "a token"
    token.write_text(gate.token)
    token.chmod(0o644)
    arguments = ("--gate", gate.url, "--token-file", str(token))
    found = checks(*arguments, code=1)["files.rights"]
    assert str(token) in found["place"]
    subprocess.run(["sh", "-c", found["mend"].strip("`")], check=True)
    assert checks(*arguments, code=0)["files.rights"]["outcome"] == "ok"


def test_records_that_are_not_events(gate: AgentsGate, tmp_path: Path) -> None:
    """The latest of each file are read, without their content being shown."""
    events = tmp_path / "log" / "agent.events"
    events.mkdir(parents=True)
    lines = [json.dumps({"session": "s", "kind": "k", "ts": i + 1, "seq": i}) for i in range(500)]
    (events / "a-1.jsonl").write_text("\n".join(lines) + "\n{torn")
    arguments = ("--source", f"log:{tmp_path / 'log'}", "--state-dir", str(tmp_path / "state"))
    arguments += ("--no-http-enabled", "--invariants", str(gate.folder / "gate.yaml"))
    found = checks(*arguments, "--latest", "7", code=0)
    assert found["events.schema"]["text"] == "the latest 7 records are valid events"
    (events / "b-1.jsonl").write_text('{"session": "s", "kind": "secret-1", "secret-2": \n')
    (events / "c-1.jsonl").symlink_to("/etc/passwd")
    found = checks(*arguments, code=1)
    assert "1 of the latest 101 records" in found["events.schema"]["text"]
    assert "not_json 1" in found["events.schema"]["text"]
    assert "secret-" not in json.dumps(found)
    assert not (tmp_path / "state").exists()


def test_the_file_of_the_environment_is_examined(gate: AgentsGate, tmp_path: Path) -> None:
    """`INTERLOCK_CONFIG` names it; others must not write to it."""
    config = Path(settings_of(gate, tmp_path))
    (tmp_path / "invariants").mkdir()
    config.write_text(json.dumps({"invariants": [str(tmp_path / "invariants")]}))
    config.chmod(0o666)
    found = checks(code=1, INTERLOCK_CONFIG=str(config))
    assert found["files.rights"]["place"] == f"--config: `{config}`"
    assert found["invariants.check"]["outcome"] == "trouble"
    assert found["invariants.examples"]["outcome"] == "unknown"


def test_a_file_of_settings_with_faults(gate: AgentsGate, tmp_path: Path) -> None:
    """Each fault is a diagnosis, and what does not depend on them is examined all the same."""
    (tmp_path / "bad.yaml").write_text("sorce: log:x\nhttp: {port: many}\n")
    told = doctor(
        "--config", str(tmp_path / "bad.yaml"), "--gate", gate.address, "--output", "json", code=1
    )
    found = json.loads(told)["checks"]
    assert [one["outcome"] for one in found if one["check"] == "config"] == ["trouble"] * 2
    assert {one["outcome"] for one in found if one["check"].startswith("gate.")} == {"ok"}


def test_settings_that_are_needed_together(tmp_path: Path) -> None:
    """A monitor or a gate that would not start is found before; a shared state is a doubt."""
    log = f"log:{tmp_path}"
    arguments = ("--source", log, "--gate-publish", log, "--no-http-enabled", "--output", "json")
    found = json.loads(doctor(*arguments, code=1))["checks"]
    told = [one for one in found if one["check"] == "config"]
    begins = ("`invariants` is not set", "`gate.listen` and `gate.publish`", "a monitor (`source`)")
    assert all(one["text"].startswith(begin) for one, begin in zip(told, begins, strict=True))
    assert [one["is_required"] for one in told] == [True, True, False]


def test_nothing_to_examine_is_not_ok() -> None:
    """Without any address or file nothing can be known."""
    assert checks(code=4)["config"]["outcome"] == "unknown"


def test_a_store_of_another_program_and_a_missing_gate(tmp_path: Path) -> None:
    """What is there is not ours, and what should be there is not."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "state.sqlite")) as other:
        other.execute("CREATE TABLE meta (name TEXT, value TEXT)")
    (state / "state.sqlite").chmod(0o600)
    found = checks(
        "--state-dir", str(state), "--gate-publish", f"log:{tmp_path / 'log'}",
        "--gate-listen", f"unix:{tmp_path / 'gate.sock'}", "--invariants", "pack:default", code=1,
    )  # fmt: skip
    assert found["state.store"]["outcome"] == "trouble"
    assert found["state.space"]["outcome"] == "ok"
    assert found["gate.reach"]["outcome"] == "trouble"
    assert found["gate.ready"]["outcome"] == "unknown"
    assert found["invariants.mode"]["outcome"] == "trouble"
    assert {path.name for path in tmp_path.rglob("*")} == {"state", "state.sqlite"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MonitorProcess, int]]:
    """A monitor of a log directory, and the port of its pages."""
    folder = tmp_path_factory.mktemp("monitor")
    (folder / "a.yaml").write_text(INVARIANTS)
    port = free_port()
    more = ("--http-enabled", "--http-port", str(port), "--respond-heartbeat", "1s")
    source = f"log:{folder / 'log'}"
    monitor = MonitorProcess(source, folder / "a.yaml", folder / "state", more)
    (folder / "log").mkdir()
    monitor.start()
    try:
        waits = [*ENTRY, "control", "wait", "--source", source, "--timeout", f"{PATIENCE_S:.0f}s"]
        subprocess.run(waits, cwd=CHECKOUT, check=True, capture_output=True)
        yield monitor, port
    finally:
        monitor.stop()


def test_a_monitor_that_watches(watched: tuple[MonitorProcess, int], tmp_path: Path) -> None:
    """It runs what the files say, until they are changed."""
    monitor, port = watched
    changed = tmp_path / "a.yaml"
    changed.write_text(INVARIANTS.replace("delete", "remove"))
    arguments = ("--source", monitor.source, "--state-dir", str(monitor.state_dir))
    arguments += ("--http-port", str(port))
    found = checks(*arguments, "--invariants", str(monitor.invariants), code=0)
    assert found["monitor.ready"]["outcome"] == found["monitor.program"]["outcome"] == "ok"
    assert found["state.program"]["outcome"] == "ok"
    found = checks(*arguments, "--invariants", str(changed), code=0)
    assert found["monitor.program"]["outcome"] == found["state.program"]["outcome"] == "trouble"
    found = checks("--target", monitor.source, code=0)
    assert found["control.heartbeats"]["outcome"] == found["log.reach"]["outcome"] == "ok"
    (tmp_path / "principals.yaml").write_text("versions: 1\n")
    more = ("--principals", str(tmp_path / "principals.yaml"))
    found = checks(*arguments, *more, "--invariants", str(monitor.invariants), code=1)
    assert found["principals.check"]["outcome"] == "trouble"
    assert found["monitor.program"]["outcome"] == "unknown"


def test_a_target_without_a_monitor(tmp_path: Path) -> None:
    """An agent's guards would refuse every call."""
    found = checks("--target", f"log:{tmp_path}", code=1)
    assert found["log.reach"]["outcome"] == "ok"
    assert found["control.heartbeats"]["outcome"] == "trouble"
    found = checks("--target", f"log:{tmp_path / 'none'}", code=1)
    assert found["control.heartbeats"]["outcome"] == "unknown"


def test_no_monitor_and_a_peer_that_is_none(peer: Any, gate: AgentsGate, tmp_path: Path) -> None:
    """Nothing listens there, or another program does."""
    arguments = ("--source", f"log:{tmp_path}", "--state-dir", str(tmp_path / "state"))
    arguments += ("--invariants", str(gate.folder / "gate.yaml"))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    for port, ready, program in (
        (free_port(), "trouble", "unknown"),
        (peer(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"), "trouble", "unknown"),
        (peer(answer), "ok", "trouble"),
        (peer(b"\xff" * 5_000), "trouble", "unknown"),
    ):
        found = checks(*arguments, "--http-port", str(port), "--timeout", "4s", code=1)
        assert found["monitor.ready"]["outcome"] == ready
        assert found["monitor.program"]["outcome"] == program


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_gate_is_not_well(gate: AgentsGate, tmp_path: Path, name: str) -> None:
    """Whatever answers each request: no check of it is ok but that something answers."""
    line = FaultyLine(tmp_path / "line.sock", gate.path, lambda _: HOSTILE[name])
    found = judge_gate(line.address, ask_gate(line.address, None, SystemClock(), 10.0), 5.0, None)
    line.close()
    fine = {one.check for one in found if one.outcome == "ok"}
    ready_alone = {"gate.ready"} if b" 200 " in next(iter(HOSTILE[name]), b"") else set()
    assert fine <= {"gate.reach", "clock.gate"} | ready_alone
    assert worst(found) != "ok"
    assert all(one.text.isprintable() and len(one.text) < 2_000 for one in found)


@pytest.fixture
def peer() -> Iterator[Any]:
    """Starts a server on loopback that sends each client some bytes, and then nothing more."""
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, answer: bytes) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.sendall(answer)
            held.append(client)

    held: list[socket.socket] = []

    def start(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for client in held:
        client.close()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x08" * 1000, b"\xff" * 100_000],
    ids=["silence", "HTTP", "short frames", "huge frames"],
)
def test_a_hostile_broker_is_not_well(peer: Any, answer: bytes) -> None:
    """It cannot keep the doctor for longer than its time, and nothing about it is ok."""
    source = f"kafka://127.0.0.1:{peer(answer)}"
    found = checks("--source", source, "--timeout", "3s", code=1)
    about = {name: one["outcome"] for name, one in found.items() if name.startswith("broker.")}
    assert about.pop("broker.reach") == "trouble"
    assert set(about.values()) == {"unknown"}
    assert found["events.schema"]["outcome"] == "unknown"
    assert found["versions.python"]["outcome"] == "ok"


# The page.


def test_the_page_lists_every_check() -> None:
    """The table of docs/doctor.md has the checks of the code, and no other."""
    listed = re.findall(
        r"^\| `([a-z.]+)` \|", (CHECKOUT / "docs/doctor.md").read_text(), re.MULTILINE
    )
    code = "".join(path.read_text() for path in (CHECKOUT / "monitor/doctor").glob("*.py"))
    subjects = {name.partition(".")[0] for name in listed}
    named = set(re.findall(rf'"((?:{"|".join(subjects)})\.[a-z]+)"', code))
    settings = {setting.name for setting in TABLE}
    assert set(listed) - {"config"} == named - settings
    assert len(listed) == len(set(listed))
