"""Alerts over HTTP: each finding is posted, signed, to one address that the operator sets.

    POST PATH
    Content-Type: application/json
    Interlock-Delivery: a-...            the action's id: the same for every attempt
    Interlock-Timestamp: 1767225600      seconds since 1970, of this attempt
    Interlock-Signature: v1=HEX          HMAC-SHA256 of TIMESTAMP + "." + body

The receiver compares the signature in constant time, refuses old timestamps, and ignores repeated
deliveries. Any 2xx counts as received. Redirects are not followed: they would send findings to an
address that nobody configured. A separate thread posts, so that a slow receiver delays neither the
stream nor a kill.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from invariants.model.errors import ConfigError
from monitor.config.webhook_address import WebhookAddress

from ..clock import Clock
from ..response.plan import Action
from ..secret import Secret
from .backoff import backoff_ns
from .contract import Order, Outcome

WAITING_MAX: Final = 200  # Deliveries handed to the thread; the others stay in the store.
CLOSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`secret` None sends unsigned. `attempts_max` counts the first one too."""

    address: WebhookAddress
    secret: Secret | None = None
    timeout_s: float = 5.0
    attempts_max: int = 20
    ca_file: str | None = None


def sign(secret: Secret, timestamp_s: int, body: bytes) -> str:
    """The value of `Interlock-Signature`; a receiver computes the same and compares."""
    text = f"{timestamp_s}.".encode() + body
    return "v1=" + hmac.new(secret.reveal(), text, hashlib.sha256).hexdigest()


class WebhookPoster:
    """Posts signed bodies to one address, each on the thread of its caller."""

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._context = _tls_context(settings)

    def post(self, delivery: str, body: bytes) -> int:
        """The status of one attempt. OSError, HTTPException: there was no whole answer."""
        settings = self._settings
        timestamp_s = self._clock.now_ns() // 1_000_000_000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "interlock",
            "Interlock-Delivery": delivery,
            "Interlock-Timestamp": str(timestamp_s),
        }
        if settings.secret is not None:
            headers["Interlock-Signature"] = sign(settings.secret, timestamp_s, body)
        connection = self._connect(settings.address, settings.timeout_s)
        with _limited(connection, settings.timeout_s):
            connection.request("POST", settings.address.path, body, headers)
            return connection.getresponse().status

    def _connect(self, address: WebhookAddress, timeout_s: float) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=timeout_s, context=self._context
        )


class WebhookDriver:
    """Hands deliveries to its thread; `finished` gives their outcomes back."""

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        self._settings = settings
        self._poster = WebhookPoster(settings, clock)
        self._waiting: queue.Queue[Order | None] = queue.Queue(WAITING_MAX)
        self._over: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def carry_out(self, order: Order) -> Outcome:
        """`started`, or `busy` if the thread has enough work."""
        try:
            self._waiting.put_nowait(order)
        except queue.Full:
            return Outcome("busy", "too many deliveries wait", backoff_ns(order.action.id, 2))
        return Outcome("started")

    def finished(self) -> list[tuple[str, Outcome]]:
        outcomes = []
        while not self._over.empty():
            outcomes.append(self._over.get_nowait())
        return outcomes

    def close(self) -> None:
        """Stops after the current delivery; waiting ones are in the store, and sent after a
        start.
        """
        self._is_closed.set()
        # If the queue is full, the thread checks `_is_closed` after the current delivery.
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(CLOSE_S)

    def deliver(self, order: Order) -> Outcome:
        """One attempt, on the thread of the caller."""
        action = order.action
        try:
            status = self._poster.post(action.id, _body(order))
        except (OSError, http.client.HTTPException) as error:
            return self._missed(order, f"{type(error).__name__}: {error}")
        if 200 <= status < 300:
            return Outcome("done", f"status {status}")
        hint = "; redirects are not followed" if 300 <= status < 400 else ""
        return self._missed(order, f"status {status} for {action.id}{hint}")

    def _run(self) -> None:
        while not self._is_closed.is_set():
            order = self._waiting.get()
            if order is None:
                return
            self._over.put((order.action.id, self.deliver(order)))

    def _missed(self, order: Order, detail: str) -> Outcome:
        if order.attempts + 1 >= self._settings.attempts_max:
            return Outcome("failed", f"given up after {order.attempts + 1} attempts: {detail}")
        return Outcome("retry", detail, backoff_ns(order.action.id, order.attempts))


@contextlib.contextmanager
def _limited(connection: http.client.HTTPConnection, timeout_s: float) -> Iterator[None]:
    """A connection for one exchange, cut and closed after `timeout_s` in all.

    The timeout of a connection is that of one read. A receiver that sends a byte at a time would
    keep the thread for hours, and an answer that is cut within its head would look whole.
    """
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        open_socket = connection.sock
        if open_socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)

    limit = threading.Timer(timeout_s, cut)
    limit.daemon = True
    limit.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not is_late.is_set():
            raise
    finally:
        limit.cancel()
        connection.close()
    if is_late.is_set():
        raise TimeoutError(f"no whole answer within {timeout_s:g} s")


class _Body(msgspec.Struct, frozen=True):
    """The body of the post."""

    action: Action
    finding: msgspec.Raw
    v: int = 1


def _body(order: Order) -> bytes:
    return msgspec.json.encode(_Body(order.action, msgspec.Raw(msgspec.json.encode(order.finding))))


def _tls_context(settings: WebhookSettings) -> ssl.SSLContext | None:
    if not settings.address.is_tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise ConfigError(f"`webhook.ca_file`: `{settings.ca_file}`: {error}") from None
