"""A real `interlock gate serve` in a process of its own, with two rules: `delete` is denied, and
`pay` needs an approval.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.kafka_broker import CHECKOUT

Event = dict[str, Any]
PATIENCE_S = 150.0
LOOK_EVERY_S = 0.01
_OPERATORS_TOKEN = "token-of-the-operator-in-tests"
INVARIANTS = """\
version: 1
predicates:
  deletes: kind == "tool.requested" && tool == "delete"
  pays:
    when: kind == "tool.requested" && tool == "pay"
    with: {call: call}
  granted:
    when: kind == "approval.granted"
    with: {call: call}
invariants:
  - id: nothing-deleted
    severity: warning
    mode: enforce
    summary: nothing is deleted
    never: deletes
  - id: paid-with-approval
    severity: warning
    mode: enforce
    summary: a payment needs an approval
    always: pays(call=x) implies once granted(call=x)
"""


class AgentsGate:
    """Listens on a Unix socket and on a port; its state outlives its processes.

    `fresh` is for a test that begins: its sessions have ids of its own, and the log is read from
    there.
    """

    token = "token-of-the-agents-in-tests"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "gate.sock"
        self.address = f"unix:{self.path}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None
        self._tests_count = 0
        self._skipped_count = 0
        (folder / "gate.yaml").write_text(INVARIANTS)
        bot = {"uid": os.geteuid(), "token_sha256": _digest(self.token)}
        ana = {"token_sha256": _digest(_OPERATORS_TOKEN), "roles": ["approver"]}
        version = {
            "version": 1,
            "since": "2020-01-01T00:00:00Z",
            "principals": {"bot": bot, "ana": ana},
            "approvals": {"roles": ["approver"]},
        }
        (folder / "principals.yaml").write_text(json.dumps({"versions": [version]}))

    def id(self, session: str) -> str:
        """The id of a session of this test."""
        return f"{session}-{self._tests_count}"

    def fresh(self) -> None:
        """Other sessions, and an empty log."""
        self._tests_count += 1
        self._skipped_count += len(self.log())

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "monitor.cli", "gate", "serve"]
        command += ["--listen", f"{self.address},{self.url}"]
        command += ["--invariants", str(self.folder / "gate.yaml")]
        command += ["--publish", f"log:{self.folder}/log"]
        command += ["--state-dir", str(self.folder / "state")]
        command += ["--principals", str(self.folder / "principals.yaml")]
        with (self.folder / "gate.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_ready():
            said = (self.folder / "gate.log").read_text()
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """Ask for the end, as an operator does; it must come, and be no failure."""
        self._end(signal.SIGTERM, 0)

    def kill(self) -> None:
        """As a power cut would."""
        self._end(signal.SIGKILL, -signal.SIGKILL)

    def _end(self, number: int, code: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        assert self._process.wait(PATIENCE_S) == code, (self.folder / "gate.log").read_text()
        self._process = None

    def log(self) -> list[Event]:
        """Every event that it recorded, in order."""
        paths = (self.folder / "log" / "interlock.gate").glob("*.jsonl")
        numbered = sorted(paths, key=lambda path: int(path.stem.rpartition("-")[2]))
        lines = [line for path in numbered for line in path.read_bytes().splitlines(keepends=True)]
        whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
        return whole[self._skipped_count :]

    def held(self) -> list[str]:
        """The requests that wait for an approval, the oldest first."""
        requests = {event.get("gate", {}).get("request") for event in self.log()}
        return [call["request"] for call in self._approvals() if call["request"] in requests]

    def rule(self, request: str, decision: str, args: Event | None = None) -> None:
        """As an operator does."""
        (found,) = [call["id"] for call in self._approvals() if call["request"] == request]
        body = {"decision": decision} | ({} if args is None else {"args": args})
        self._ask("POST", f"/v1/approvals/{found}", body)

    def _approvals(self) -> list[Event]:
        found: list[Event] = self._ask("GET", "/v1/approvals")["approvals"]
        return found

    def _ask(self, method: str, path: str, body: Event | None = None) -> Any:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.path))
            connection = http.client.HTTPConnection("localhost")
            connection.sock = sock
            headers = {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {_OPERATORS_TOKEN}",
            }
            connection.request(method, path, body and json.dumps(body), headers)
            response = connection.getresponse()
            told = response.read()
            assert response.status == 200, told
            return json.loads(told)

    def _is_ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(self.path))
        except OSError:
            return False
        return True


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
