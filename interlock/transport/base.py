"""Messages of events, and the protocol of a transport that carries them.

A transport is used by one thread of one process. After a fork the child leaves its parent's
transport alone (`abandon`) and opens one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """The session (the partition key) and one event as JSON.

    `is_opening`: not an event but the names of a new session, for a gate.
    """

    key: str
    value: bytes
    is_opening: bool = False


class Undelivered(OSError):  # noqa: N818 - a partial result, not only an error
    """Some of a batch was not sent: `retry` are to be sent again, `refused` never will be taken.

    Both are positions in the batch; all others were delivered. `after_s` is a pause that the
    receiver asked for. `is_lasting`: an operator must mend it, so nobody should wait for it.
    `is_answer`: the receiver is there, and does not take the events now.
    """

    def __init__(
        self,
        reason: str,
        retry: Sequence[int],
        refused: Sequence[int] = (),
        *,
        after_s: float = 0.0,
        is_lasting: bool = False,
        is_answer: bool = False,
    ) -> None:
        super().__init__(reason)
        self.retry = tuple(retry)
        self.refused = tuple(refused)
        self.after_s = after_s
        self.is_lasting = is_lasting
        self.is_answer = is_answer


class Transport(Protocol):
    """The destination of events."""

    def send(self, batch: Sequence[Message]) -> None:
        """Return when all are delivered; else raise `Undelivered`. May block for seconds."""

    def close(self) -> None:
        """Let go of files and sockets. Safe to call twice."""

    def abandon(self) -> None:
        """In a forked child: forget the parent's files and sockets without disturbing them."""


@dataclass(slots=True)
class Whereabouts:
    """The place of events, recorded by the sending thread for the threads that call the guard.

    `partitions_count` is that of the topic on Kafka. `owner` is the owner of the files in a log
    directory, if the monitor is known to see the same number.
    """

    partitions_count: int | None = None
    owner: int | None = None

    @property
    def known(self) -> tuple[int | None, int | None]:
        """All of it, to be compared."""
        return self.partitions_count, self.owner
