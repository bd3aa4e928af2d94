"""The gate's server on a thread of this process, with bounds that a test chooses."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.config.gate import GateSettings
from monitor.gate_server.address import LoopbackAddress, UnixAddress
from monitor.gate_server.bounds import Bounds
from monitor.gate_server.identity import Identity
from monitor.gate_server.listeners import open_listener
from monitor.gate_server.server import run_server
from monitor.principals.model import Principals
from tests.support.gate import GateHere

HEAD = b"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
PATIENCE_S = 120.0


class ServedHere:
    """Serves `tmp_path / gate.sock`, and a free port of loopback."""

    def __init__(
        self,
        folder: Path,
        bounds: Bounds | None = None,
        principals: Principals | None = None,
        settings: GateSettings = GateSettings(),  # noqa: B008  (frozen)
    ) -> None:
        self._settings = settings
        self.folder, self._bounds, self._principals = folder, bounds, principals
        self.path = folder / "gate.sock"
        self.port = 0
        self.gate: GateHere | None = None
        self._clients: list[socket.socket] = []
        self._is_stopping = threading.Event()
        self._listens = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listens.wait(PATIENCE_S)
        assert self.error is None, self.error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._is_stopping.set()
        self._thread.join(PATIENCE_S)
        for client in self._clients:
            client.close()
        assert not self._thread.is_alive()
        if self.error is not None and kind is None:
            raise self.error

    def _serve(self) -> None:
        with ExitStack() as stack:
            try:
                here = self.gate = GateHere(
                    self.folder, principals=self._principals, settings=self._settings
                )
                stack.callback(here.close)
                loopback = open_listener(LoopbackAddress("127.0.0.1", 0), 0, None, stack)
                self.port = loopback.getsockname()[1]
                local = open_listener(UnixAddress(str(self.path)), 0o600, None, stack)
                self._listens.set()
                serving = run_server(
                    here.gate,
                    [local, loopback],
                    Identity(self._principals),
                    here.clock,
                    self._is_stopping.is_set,
                    bounds=self._bounds,
                )
                asyncio.run(serving)
            except BaseException as error:  # noqa: BLE001  (the test's thread raises it)
                self.error = error
            finally:
                self._listens.set()

    def ended(self) -> None:
        """Wait until the server has ended by itself."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A connection over the Unix socket, on which bytes were sent."""
        client = socket.socket(socket.AF_UNIX)
        self._clients.append(client)
        client.settimeout(PATIENCE_S)
        client.connect(str(self.path))
        client.sendall(sent)
        return client

    def connect_tcp(self, sent: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        self._clients.append(client)
        client.sendall(sent)
        return client

    def get(self, path: str) -> bytes:
        """The whole response to a request of its own."""
        with self.connect(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) as client:
            return read_reply(client)

    def reached(self, bound: str) -> int:
        """How often a bound was reached, by the metrics."""
        text = self.get("/metrics").decode()
        start = f'interlock_gate_bounds_reached_total{{bound="{bound}"}} '
        (line,) = [line for line in text.splitlines() if line.startswith(start)]
        return int(float(line.removeprefix(start)))


def post(content: bytes, path: str = "/v1/ask") -> bytes:
    """A request with a body."""
    head = HEAD.replace(b"/v1/ask", path.encode())
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


def asking(session: str, tool: str = "read_file", **more: str) -> bytes:
    """An ask."""
    fields = {"session": session, "tool": tool, **more}
    text = ",".join(f'"{name}":"{value}"' for name, value in fields.items())
    return post(f"{{{text}}}".encode())


def read_reply(client: socket.socket) -> bytes:
    """One response, with its head; empty if the connection was closed instead."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            data += (part := client.recv(65_536))
            if not part:
                return b""
        head, _, body = data.partition(b"\r\n\r\n")
        (length,) = [
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ]
        while len(body) < length:
            part = client.recv(65_536)
            assert part, "cut off"
            body += part
    except ConnectionError:
        return b""
    assert len(body) == length, "more than one response"
    return head + b"\r\n\r\n" + body


def status(reply: bytes) -> int:
    """The status of a response, 0 for none."""
    return int(reply.split(b" ", 2)[1]) if reply else 0
