"""Agents that ask a gate, for its bench: recorded sessions over connections that stay open.

python -m monitor.bench.gate_load SOCKET TOKEN      asks without a pause, until it is ended
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from monitor.bench.bare import bare_decode

TIMEOUT_S: Final = 60.0
FLOOD_CONNECTIONS: Final = 8


class Step(NamedTuple):
    """One request of a recorded session: the page, its body, and whether it is an ask."""

    path: str
    body: bytes
    is_ask: bool


class Talk(http.client.HTTPConnection):
    """One connection to a server on a Unix socket, as one principal."""

    def __init__(self, path: str, token: str = "") -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)

    def ask(self, path: str, body: bytes) -> tuple[int, int, bytes]:
        """Send one request: the time that it took in ns, its status, and the response's body."""
        begin_ns = time.perf_counter_ns()
        self.request("POST", path, body, self._headers)
        response = self.getresponse()
        content = response.read()
        return time.perf_counter_ns() - begin_ns, response.status, content


def steps_of(records: Iterable[bytes], prefix: str) -> list[Step]:
    """Recorded events as an agent sends them; `prefix` keeps the sessions of agents apart."""
    steps: list[Step] = []
    for value in records:
        record = bare_decode(value)
        session = f"{prefix}-{record.session}"
        if record.kind == "tool.requested":
            ask = {"session": session, "tool": record.tool, **_given(record, ("call", "args"))}
            steps.append(Step("/v1/ask", msgspec.json.encode(ask), True))
        elif record.kind.startswith(("message.", "tool.")):
            names = ("tool", "call", "args", "result", "error", "text")
            event = {"kind": record.kind, **_given(record, names)}
            body = msgspec.json.encode({"session": session, "events": [event]})
            steps.append(Step("/v1/tell", body, False))
    return steps


def shared_out(records: Iterable[bytes], agents_count: int) -> list[list[bytes]]:
    """The events of each agent: whole sessions, dealt in turn, so that all agents together open as
    many as one alone.
    """
    parts: list[list[bytes]] = [[] for _ in range(agents_count)]
    owners: dict[str, int] = {}
    for value in records:
        session = bare_decode(value).session
        parts[owners.setdefault(session, len(owners) % agents_count)].append(value)
    return parts


def _given(record: Any, names: Sequence[str]) -> Mapping[str, Any]:
    told = {name: getattr(record, name) for name in names}
    return {
        name: value
        for name, value in told.items()
        if (bytes(value) if isinstance(value, msgspec.Raw) else value)
    }


def flood(path: str, token: str) -> None:
    """Ask without a pause over several connections, until the process is ended."""

    def ask(number: int) -> None:
        talk = Talk(path, token)
        for count in itertools.count():
            body = {
                "session": f"flood-{number}-{count // 100}",
                "tool": "search",
                "args": {"q": count},
            }
            talk.ask("/v1/ask", json.dumps(body).encode())

    threads = [
        threading.Thread(target=ask, args=(n,), daemon=True) for n in range(FLOOD_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    print("floods", flush=True)  # noqa: T201 (its parent waits for this line)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    flood(sys.argv[1], sys.argv[2])
