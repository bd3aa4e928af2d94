"""A real `interlock gate serve` in a process of its own, and a client of it without our library."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.gate import INVARIANTS
from tests.support.kafka_broker import CHECKOUT
from tests.support.monitor_process import ENTRY, LOOK_EVERY_S, PATIENCE_S


class Reply(NamedTuple):
    """A response; `content` is its parsed body."""

    status: int
    headers: dict[str, str]
    content: Any

    @property
    def code(self) -> str:
        return str(self.content["error"]["code"])


class UnixHttp(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


class ServedGate:
    """One gate: its folder and settings outlive its processes.

    `tokens`: names of principals, each with its name as its token; those that begin with `op` may
    approve. Without any there is no file of principals.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tokens: tuple[str, ...] = (),
        more: tuple[str, ...] = (),
        publish: str = "",
        listen: str = "",
    ) -> None:
        self.folder, self.more = folder, more
        folder.mkdir(exist_ok=True)
        self.socket = folder / "gate.sock"
        self.listen = f"unix:{self.socket}" + (f",{listen}" if listen else "")
        self.log_dir = folder / ("state/gate-log" if publish else "log")
        self.publish = publish or f"log:{self.log_dir}"
        (folder / "gate.yaml").write_text(INVARIANTS)
        self.process: subprocess.Popen[bytes] | None = None
        if tokens:
            self.more += ("--principals", str(folder / "principals.yaml"))
            (folder / "principals.yaml").write_text(_principals(tokens))

    def begin(self) -> None:
        """Start a process, and do not wait for it."""
        command = [*ENTRY, "gate", "serve", "--invariants", str(self.folder / "gate.yaml")]
        command += ["--listen", self.listen, "--publish", self.publish]
        command += ["--state-dir", str(self.folder / "state"), *self.more]
        with (self.folder / "gate.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.begin()
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process is not None and self.process.poll() is None, self.told()
            assert time.monotonic() < deadline, self.told()
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """Ask for the end, as an operator does; it must come, and be no failure."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.told()

    def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None and self.process.poll() is None, self.told()
        self.process.kill()
        self.process.wait(30)

    def end(self) -> None:
        """For the test's own end, whatever became of it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def ports(self) -> list[int]:
        """The ports on which it has listened so far."""
        return [int(port) for port in re.findall(r"\('127\.0\.0\.1', (\d+)\)", self.told())]

    def told(self) -> str:
        """The end of what it logged."""
        return (self.folder / "gate.log").read_text(errors="replace")[-4_000:]

    def send(
        self,
        method: str,
        path: str,
        content: Any = None,
        *,
        token: str = "",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request on a connection of its own."""
        connection = UnixHttp(self.socket)
        try:
            return exchange(connection, method, path, content, token=token, headers=headers)
        finally:
            connection.close()

    def ask(self, session: str, tool: str, *, token: str = "", **more: Any) -> Reply:
        return self.send("POST", "/v1/ask", {"session": session, "tool": tool, **more}, token=token)

    def records(self) -> list[dict[str, Any]]:
        """Everything in its log, in order."""
        files = sorted((self.log_dir / "interlock.gate").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]

    def _answers(self) -> bool:
        try:
            return self.send("GET", "/-/ready").status == 200
        except OSError:
            return False


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    content: Any = None,
    *,
    token: str = "",
    headers: dict[str, str] | None = None,
) -> Reply:
    """One request; `content` is bytes, or becomes JSON."""
    sent = dict(headers or {})
    body = content
    if content is not None:
        sent.setdefault("Content-Type", "application/json")
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
    if token:
        sent["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    text = response.read()
    is_json = response.getheader("Content-Type", "") == "application/json"
    given = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, given, json.loads(text) if is_json else text)


def _principals(tokens: tuple[str, ...]) -> str:
    lines = ["versions:", "  - version: 1", "    since: 2020-01-01T00:00:00Z", "    principals:"]
    for name in tokens:
        role = "approver" if name.startswith("op") else "agent"
        digest = sha256(name.encode()).hexdigest()
        lines.append(f'      {name}: {{token_sha256: "{digest}", roles: [{role}]}}')
    if any(name.startswith("op") for name in tokens):
        lines.append("    approvals: {roles: [approver], approvers: 1, expires: 15m}")
    return "\n".join(lines) + "\n"
