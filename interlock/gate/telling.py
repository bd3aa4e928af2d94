"""The transport that tells a gate what happened: openings of sessions, and events.

A batch contains the records of one session, in order. An attempt whose answer was lost is repeated
with the same id, so that a gate records the events once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from ..transport.base import Message, Undelivered
from .answer import read_failure
from .asking import AWAY, PASSING
from .exchange import Exchange, NotAGate, Response, Unanswered

ATTEMPT_S: Final = 10.0
EVENTS_MAX: Final = 100
BYTES_MAX: Final = 256 * 1024
"""Chosen: of events that are told at once; a single event may be larger."""

_encode: Final = msgspec.json.Encoder().encode


class _Recorded(msgspec.Struct, frozen=True):
    """The numbers of events that were told."""

    seq: list[int]


class _Opened(msgspec.Struct, frozen=True):
    """The session that was opened."""

    session: str


class _Part(NamedTuple):
    """Messages that are told by one request, and the position of the first."""

    start: int
    messages: Sequence[Message]


class TellTransport:
    """Tells; used by one thread."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        # What failed last, and its id: the publisher gives exactly these messages again first.
        self._unsure: tuple[list[Message], str] = ([], "")

    def send(self, batch: Sequence[Message]) -> None:
        """Return when all are told; else raise `Undelivered`."""
        refused: dict[int, str] = {}
        for part in _parts(batch):
            self._tell(part, len(batch), refused)
        if refused:
            raise Undelivered(next(iter(refused.values())), (), tuple(refused))

    def close(self) -> None:
        self._exchange.close()

    def abandon(self) -> None:
        """In a forked child: forget the parent's connections."""
        self._exchange.after_fork_in_child()

    def _tell(self, part: _Part, batch_count: int, refused: dict[int, str]) -> None:
        response = self._response(part, batch_count, refused)
        if response.status < 300:
            return
        reason = f"status {response.status}: {read_failure(response.body)}"
        if len(part.messages) == 1:
            refused[part.start] = reason
            return
        # A request is recorded in full or not at all: find out which event is refused.
        for offset, message in enumerate(part.messages):
            self._tell(_Part(part.start + offset, [message]), batch_count, refused)

    def _response(self, part: _Part, batch_count: int, refused: dict[int, str]) -> Response:
        """The response that decides about the part, or `Undelivered` from its start on."""
        path, body = self._request(list(part.messages))
        retry = range(part.start, batch_count)
        try:
            response = self._exchange.send("POST", path, body, ATTEMPT_S)
        except (Unanswered, NotAGate) as error:
            is_answer = isinstance(error, NotAGate)
            raise Undelivered(str(error), retry, tuple(refused), is_answer=is_answer) from None
        if response.status in (401, *PASSING) or response.status >= 500:
            reason = f"status {response.status}: {read_failure(response.body)}"
            raise Undelivered(
                reason,
                retry,
                tuple(refused),
                after_s=response.retry_after_s,
                is_lasting=response.status == 401,
                is_answer=response.status not in AWAY,
            )
        if response.status < 300 and not _is_confirmed(part, response.body):
            reason = "its answer is not that of a gate"
            raise Undelivered(reason, retry, tuple(refused), is_answer=True)
        self._unsure = ([], "")
        return response

    def _request(self, messages: list[Message]) -> tuple[str, bytes]:
        first = messages[0]
        if first.is_opening:
            return "/v1/sessions", first.value
        if self._unsure[0] != messages:
            self._unsure = (messages, uuid.uuid4().hex)
        events = b",".join(message.value for message in messages)
        head = _encode({"session": first.key, "request": self._unsure[1]})
        return "/v1/tell", head[:-1] + b',"events":[' + events + b"]}"


def _is_confirmed(part: _Part, body: bytes) -> bool:
    try:
        if part.messages[0].is_opening:
            return msgspec.json.decode(body, type=_Opened).session == part.messages[0].key
        return len(msgspec.json.decode(body, type=_Recorded).seq) == len(part.messages)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


def _parts(batch: Sequence[Message]) -> Iterator[_Part]:
    start, size = 0, 0
    for position, message in enumerate(batch):
        is_full = size + len(message.value) > BYTES_MAX or position - start >= EVENTS_MAX
        is_apart = message.is_opening or batch[start].is_opening
        if position > start and (is_full or is_apart):
            yield _Part(start, batch[start:position])
            start, size = position, 0
        size += len(message.value)
    if batch:
        yield _Part(start, batch[start:])
