"""One HTTP request to a gate, and its response: bounded in size and time, over kept connections.

Nothing is followed or guessed: no redirect, no proxy, no cookie. The peer at the address may be
hostile, so a response that is not one of a gate is an error of one type.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from typing import Any, Final, NamedTuple

from ..errors import SettingError
from .address import GateAddress, Token

RESPONSE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Chosen: four times the largest event, which an answer may repeat with edited arguments."""

IDLE_CONNECTIONS_MAX: Final = 16
RETRY_AFTER_S_MAX: Final = 60.0


class Unanswered(OSError):  # noqa: N818 - the gate gave no answer, whatever the reason
    """There was no response. `was_sent`: the gate may have received the request all the same."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


class NotAGate(Exception):  # noqa: N818 - reads as what it says
    """A response that no gate gives; the text says what is wrong with it."""


class Response(NamedTuple):
    """Status and body; `retry_after_s` is 0 and `date` empty without such a header."""

    status: int
    body: bytes
    retry_after_s: float
    date: str = ""


class Exchange:
    """Requests to one gate, from any thread; each uses a connection of its own meanwhile."""

    def __init__(self, address: GateAddress, token: Token) -> None:
        self._address = address
        self._token = token
        self._reset()

    def _reset(self) -> None:
        # A signal's handler may make a call while this thread holds the lock.
        self._lock = threading.RLock()
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._is_closed = False
        self._headers: dict[str, str] = {}

    def send(self, method: str, path: str, body: bytes | None, timeout_s: float) -> Response:
        """One request; it is repeated only if a kept connection turns out to be closed.

        Raises
        ------
        Unanswered
            No response within `timeout_s`.
        NotAGate
            The response is not one of a gate.
        """
        deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        was_sent = False
        while True:
            connection = self._taken()
            is_kept = connection.sock is not None
            try:
                response = connection.exchange(method, path, body, self._headers, deadline_ns)
            except (OSError, http.client.IncompleteRead) as error:
                self._drop(connection)
                was_sent = was_sent or connection.was_sent
                if is_kept and isinstance(error, ConnectionError) and not self._is_closed:
                    continue
                raise Unanswered(_reason(error), was_sent=was_sent) from None
            except (http.client.HTTPException, ValueError) as error:
                self._drop(connection)
                raise NotAGate(f"its response is not HTTP: {type(error).__name__}") from None
            except BaseException:
                # Interrupted: the rest of the response must not answer the next request.
                self._drop(connection)
                raise
            self._give_back(connection)
            if not 200 <= response.status < 300 and response.status < 400:
                raise NotAGate(f"its response has status {response.status}, and no gate redirects")
            return response

    def close(self) -> None:
        """End requests that wait for a response, and all connections. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        for connection in idle:
            connection.close()
        for connection in busy:
            connection.abort()

    def after_fork_in_child(self) -> None:
        """Forget the parent's connections: closing these copies does not disturb it."""
        for connection in (*self._idle, *self._busy):
            connection.close()
        self._reset()

    def _taken(self) -> _Connection:
        with self._lock:
            if self._is_closed:
                raise Unanswered("the client was closed", was_sent=False)
            connection = self._idle.pop() if self._idle else self._new()
            self._busy.add(connection)
            return connection

    def _new(self) -> _Connection:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        # A token's file may have been replaced since; while it cannot be read, the last one counts.
        with contextlib.suppress(SettingError):
            if token := self._token.read():
                headers["Authorization"] = f"Bearer {token}"
            self._headers = headers
        return _Connection(self._address)

    def _drop(self, connection: _Connection) -> None:
        with self._lock:
            self._busy.discard(connection)
        connection.close()

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            self._busy.discard(connection)
            has_room = len(self._idle) < IDLE_CONNECTIONS_MAX and not self._is_closed
            if has_room and connection.sock is not None:
                self._idle.append(connection)
                return
        connection.close()


class _Connection(http.client.HTTPConnection):
    """A connection whose requests have one deadline each, for all their parts together."""

    sock: _TimedSocket | None

    def __init__(self, address: GateAddress) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        super().__init__(host or "localhost", address.port or None)
        self._address = address
        self._deadline_ns = 0
        self.was_sent = False

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        deadline_ns: int,
    ) -> Response:
        self._deadline_ns = deadline_ns
        self.was_sent = False
        if self.sock is not None:
            self.sock.begin(deadline_ns)
        self.request(method, path, body, headers)
        self.was_sent = True
        with self.getresponse() as response:
            if response.length is None and not response.chunked:
                # A gate states the length, so the head was cut off.
                raise http.client.IncompleteRead(b"")
            told = response.read(RESPONSE_BYTES_MAX)
            if response.length:
                raise http.client.IncompleteRead(b"")
            if not response.isclosed():
                # What follows must not be read as the next response.
                self.close()
            date = str(response.headers.get("Date", ""))
            return Response(response.status, told, _retry_after_s(response.headers), date)

    def connect(self) -> None:
        """Connect within the deadline; called by `request` if there is no connection."""
        address = self._address
        if address.path:
            self.sock = _TimedSocket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.begin(self._deadline_ns)
            self.sock.connect(address.path)
            return
        places = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, _, _, _, place = places[0]
        self.sock = _TimedSocket(family, socket.SOCK_STREAM)
        self.sock.begin(self._deadline_ns)
        self.sock.connect(place)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def abort(self) -> None:
        """Wake the thread that waits for a response, with an error."""
        sock = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _TimedSocket(socket.socket):
    """A socket for one request at a time, with a deadline and a limit on what it receives."""

    def begin(self, deadline_ns: int) -> None:
        """A new request begins."""
        self._deadline_ns = deadline_ns
        self._bytes_left = RESPONSE_BYTES_MAX
        self._set_timeout()

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As of a socket; TimeoutError at the deadline, however often a byte arrives."""
        self._set_timeout()
        count = super().recv_into(buffer, nbytes, flags)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ValueError("the response is too long")
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As of a socket."""
        self._set_timeout()
        super().sendall(data, flags)

    def _set_timeout(self) -> None:
        left_ns = self._deadline_ns - time.monotonic_ns()
        if left_ns <= 0:
            raise TimeoutError
        self.settimeout(left_ns / 1e9)


def _retry_after_s(headers: http.client.HTTPMessage) -> float:
    text = str(headers.get("Retry-After", "")).strip()
    is_number = text.isascii() and text.isdigit() and len(text) < 6
    return min(float(text), RETRY_AFTER_S_MAX) if is_number else 0.0


def _reason(error: Exception) -> str:
    """The error in words, without paths or addresses."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the connection ended before the answer"
