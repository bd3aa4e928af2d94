"""Held calls and decisions about them over Kafka, for operators who cannot reach a gate.

It has the pages of `OperatorsGate` that are about approvals. The calls that wait are read from the
gates' own log, `interlock.gate`. A decision is written to the operator's topic, and the gate that
holds the call takes it in: its log then has the answer, for which this waits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import unquote

import msgspec

from invariants.model.errors import ConfigError
from monitor.cli.gate_requests import GateRefusedError, NoAnswerError
from monitor.config.load import load_settings
from monitor.gate.book import Book
from monitor.gate.note import read_line
from monitor.gate.topic_rulings import ruling_on
from monitor.gate.wire import HeldCall
from monitor.gate_server.routes import HeldList, HeldPage, RecentLine
from monitor.kernel.scope import EMPTY_LOAD
from monitor.presentation import visible
from monitor.topics import APPROVALS, GATE
from monitor.trace_key import TraceKey
from monitor.transport.address import TOPIC_PATTERN, KafkaAddress, parse_source_url
from monitor.transport.base import Publisher
from monitor.transport.kafka.producer import KafkaPublisher
from monitor.transport.kafka.tail import POLL_S, KafkaTail

SINCE_S: Final = 86_400
"""Chosen: calls that have waited for longer are not found. All of a busy week takes too long."""
READ_S: Final = 300.0
ANSWER_S: Final = 60.0
"""Chosen: a gate looks once a second, and its log is on Kafka soon after."""
T = TypeVar("T")


class TopicGate:
    """The gates that publish to one Kafka, as one operator sees them."""

    def __init__(self, tail: KafkaTail, publisher: Publisher, operator: str) -> None:
        self._tail, self._publisher, self._operator = tail, publisher, operator
        self._book = Book(lambda name: EMPTY_LOAD)
        self._until(tail.is_at_end, READ_S)

    def get(self, path: str, type_: type[T]) -> T:
        """The list of calls that wait, or one of them. GateRefusedError."""
        id_ = _id_in(path)
        found = HeldPage(self._held(id_), self._recent(id_)) if id_ else self._list()
        assert isinstance(found, type_), "the page has this type"
        return found

    def post(self, path: str, content: dict[str, Any], type_: type[T]) -> T:
        """Publish a decision, and wait for the answer of the gate.

        Raises
        ------
        GateRefusedError
            No call waits under this id.
        NoAnswerError
            No gate has taken the decision in.
        """
        if not self._operator:
            raise ConfigError(
                "over Kafka, name the operator: `--operator NAME` writes to "
                f"`{APPROVALS}.NAME`, where only NAME may write"
            )
        if "args" in content:
            raise ConfigError("arguments can only be replaced over the gate's own address")
        held = self._held(_id_in(path))
        ruling = ruling_on(held, content["decision"], content["reason"])
        topic = f"{APPROVALS}.{self._operator}"
        self._publisher.publish(topic, held.session, msgspec.json.encode(ruling))
        self._publisher.flush(ANSWER_S)

        def is_taken() -> bool:
            now = self._book.held.get(held.id)
            # A decision is one record, and the answer that follows from it is the next.
            return now is None or (not now.is_decided and now.granted_by != held.granted_by)

        if not self._until(is_taken, ANSWER_S):
            raise NoAnswerError(
                f"no gate has taken the decision in within {ANSWER_S:g} s; it stays on `{topic}`. "
                f"`{self._operator}` must have a role of `approvals` and not be the agent, and the "
                "gate must read the topic: its log has the reason"
            )
        given = self._book.given(TraceKey(held.principal, held.session), held.request)
        assert given is not None, "the call was held by an answer"
        answer = given.answer(held.session)
        assert isinstance(answer, type_), "the page has this type"
        return answer

    def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                return False
            for value in self._tail.poll(POLL_S):
                try:
                    self._book.apply(read_line(value))
                except msgspec.MsgspecError:
                    continue  # The monitor reports what is not a gate's record.
            self._book.take_changes(())
        return True

    def _held(self, id_: str) -> HeldCall:
        held = self._book.held.get(id_)
        if held is None or held.expires_ns <= time.time_ns():
            raise GateRefusedError(f"no call waits as `{visible(id_)}` on this Kafka")
        return held

    def _recent(self, id_: str) -> list[RecentLine]:
        held = self._held(id_)
        events = self._book.row(TraceKey(held.principal, held.session)).recent
        return [RecentLine(e.seq, e.time_ns, e.kind, e.tool, e.text) for e in events]

    def _list(self) -> HeldList:
        now_ns = time.time_ns()
        return HeldList([held for held in self._book.held.values() if held.expires_ns > now_ns])


def _id_in(path: str) -> str:
    return unquote(path.removeprefix("/v1/approvals").removeprefix("/"))


@contextmanager
def open_topic_gate(arguments: argparse.Namespace) -> Iterator[TopicGate]:
    """The gates that publish to the Kafka of `--gate`.

    Raises
    ------
    ConfigError
        The address or the operator's name cannot be used.
    OSError
        A broker does not answer, or a topic may not be read.
    """
    address = parse_source_url(arguments.gate)
    assert isinstance(address, KafkaAddress), "the caller looked at the scheme"
    operator = arguments.operator or ""
    if operator and not TOPIC_PATTERN.match(f"{APPROVALS}.{operator}"):
        raise ConfigError(
            "`--operator`: a topic cannot have this name; expected letters, digits, `.`, `_`, `-`"
        )
    if arguments.token_file:
        raise ConfigError("`--token-file` is for a gate's own address, not for Kafka")
    settings = load_settings(arguments.config).kafka.client_settings()
    since_ms = int((time.time() - SINCE_S) * 1000)
    with (
        closing(KafkaTail(address.bootstrap, GATE, since_ms, settings=settings)) as tail,
        closing(KafkaPublisher(address.bootstrap, settings=settings)) as publisher,
    ):
        yield TopicGate(tail, publisher, operator)
