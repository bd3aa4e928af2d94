"""Transports for tests of the client: one that keeps, one that waits, one that fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from interlock.transport.base import Message, Undelivered


class Keeping:
    """Keeps what it is sent; `gate` holds `send` up while it is not set."""

    def __init__(self) -> None:
        self.kept: list[Message] = []
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.is_closed = False
        self.is_abandoned = False

    def send(self, batch: Sequence[Message]) -> None:
        self.entered.set()
        assert self.gate.wait(30), "a test forgot to open the gate"
        self.kept.extend(batch)
        self.batches.append(len(batch))

    def close(self) -> None:
        self.is_closed = True

    def abandon(self) -> None:
        self.is_abandoned = True


class Failing(Keeping):
    """Refuses for good what says `never`, fails `failures` times on the rest, then keeps.

    A failing attempt delivers the first `delivered_each` events all the same.
    """

    def __init__(self, failures: int, delivered_each: int = 1) -> None:
        super().__init__()
        self.failures_left = failures
        self._delivered_each = delivered_each

    def send(self, batch: Sequence[Message]) -> None:
        self.entered.set()
        refused = [n for n, message in enumerate(batch) if b"never" in message.value]
        others = [n for n in range(len(batch)) if n not in refused]
        if self.failures_left:
            self.failures_left -= 1
            delivered, others = others[: self._delivered_each], others[self._delivered_each :]
            self.kept.extend(batch[n] for n in delivered)
            raise Undelivered("broker away", others, refused)
        self.kept.extend(batch[n] for n in others)
        if refused:
            raise Undelivered("too large", (), refused)
