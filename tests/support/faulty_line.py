"""A Unix socket before a gate's, which loses requests and answers, or puts others in their place.

It carries one request at a time over a connection, and asks `fate` about each.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

Fate = Callable[[str], "str | Iterable[bytes]"]
"""From the request's first line: `pass`, `lose request`, `lose answer`, `cut answer`, or pieces of
bytes to answer with."""

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class FaultyLine:
    """Listens at `path`, and carries to `gate_path`.

    `before_answer` is called when the gate has answered, and may change the fate.
    """

    def __init__(
        self,
        path: Path,
        gate_path: Path,
        fate: Fate,
        before_answer: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.address = f"unix:{path}"
        self.bodies: list[tuple[str, bytes]] = []
        """The first line and the body of each request that arrived."""
        self._gate_path = gate_path
        self._fate = fate
        self._before_answer = before_answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as asked:
            try:
                while request := _message(asked):
                    if not self._carry_one(client, request):
                        return
            except OSError:
                return

    def _carry_one(self, client: socket.socket, request: bytes) -> bool:
        """False when the connection is to be closed."""
        line = request.partition(b"\r\n")[0].decode()
        self.bodies.append((line, request.partition(b"\r\n\r\n")[2]))
        fate = self._fate(line)
        if not isinstance(fate, str):
            for piece in fate:
                client.sendall(piece)
            return False
        if fate == "lose request":
            return False
        with socket.socket(socket.AF_UNIX) as gate:
            gate.connect(str(self._gate_path))
            gate.sendall(request)
            with gate.makefile("rb") as answered:
                answer = _message(answered)
        fate = self._before_answer(line) or fate
        if fate == "lose answer" or not answer:
            return False
        client.sendall(answer[: len(answer) // 2] if fate == "cut answer" else answer)
        return fate == "pass"


def _message(file: object) -> bytes:
    """A request or a response with its body; empty at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()  # type: ignore[attr-defined]
        if not line:
            return b""
        head += line
    length = _LENGTH.search(head)
    return head + file.read(int(length[1]) if length else 0)  # type: ignore[attr-defined]
