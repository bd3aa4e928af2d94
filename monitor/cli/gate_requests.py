"""Requests of an operator to a gate, over its HTTP interface.

    with open_gate(arguments) as gate:
        gate.get("/v1/approvals", HeldList)

It uses the exchange of the agents' client: bounded, without redirects. A refusal becomes
one line. The process at the address may not be a gate: then the request has no answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from interlock.errors import SettingError
from interlock.gate.address import find_token, parse_gate
from interlock.gate.exchange import Exchange, NotAGate, Response, Unanswered
from invariants.model.errors import ConfigError, InterlockError
from monitor.presentation import visible

REQUEST_S: Final = 30.0
"""Chosen: an operator waits; a gate under load answers within seconds."""
MENDS: Final = {
    "unauthenticated": "; give the token of an operator with `--token-file`",
}
"""The correction for an operator, by the code of a refusal."""
T = TypeVar("T")


class GateRefusedError(InterlockError):
    """The gate refused a request."""


class NoAnswerError(OSError):
    """No answer of a gate: the request may have been carried out."""


class _Fault(msgspec.Struct):
    code: str
    message: str


class _FaultBody(msgspec.Struct):
    error: _Fault


class ApprovalsGate(Protocol):
    """The pages of held calls, however they are reached."""

    def get(self, path: str, type_: type[T]) -> T:
        """The content of a page."""

    def post(self, path: str, content: dict[str, Any], type_: type[T]) -> T:
        """The answer to a request."""


class OperatorsGate:
    """One gate, asked by an operator."""

    def __init__(self, exchange: Exchange, name: str) -> None:
        self._exchange, self._name = exchange, name

    def get(self, path: str, type_: type[T]) -> T:
        """The content of a page. GateRefusedError, NoAnswerError."""
        return self._read(self._send("GET", path, None), type_)

    def post(self, path: str, content: object, type_: type[T]) -> T:
        """The answer to a request. GateRefusedError, NoAnswerError."""
        return self._read(self._send("POST", path, msgspec.json.encode(content)), type_)

    def _send(self, method: str, path: str, body: bytes | None) -> Response:
        try:
            return self._exchange.send(method, path, body, REQUEST_S)
        except Unanswered as error:
            fate = ""
            if body is not None and error.was_sent:
                fate = "; it may have taken the decision: look with `interlock approvals list`"
            raise NoAnswerError(f"the gate at `{self._name}`: {error}{fate}") from None
        except NotAGate as error:
            raise NoAnswerError(f"`{self._name}` is not a gate: {error}") from None

    def _read(self, response: Response, type_: type[T]) -> T:
        try:
            if response.status == 200:
                return msgspec.json.decode(response.body, type=type_)
            fault = msgspec.json.decode(response.body, type=_FaultBody).error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            text = f"its response (status {response.status}) cannot be read"
            raise NoAnswerError(f"`{self._name}` is not a gate: {text}") from None
        mend = MENDS.get(fault.code, "")
        raise GateRefusedError(f"the gate refused this: {visible(fault.message, 400)}{mend}")


@contextmanager
def open_approvals(arguments: argparse.Namespace) -> Iterator[ApprovalsGate]:
    """The gate that the flags name, or all gates of a Kafka. Raises ConfigError, OSError."""
    if arguments.gate.startswith("kafka:"):
        # Kafka's client takes long to import.
        from monitor.cli.topic_gate import open_topic_gate

        with open_topic_gate(arguments) as topics:
            yield topics
    else:
        with open_gate(arguments) as gate:
            yield gate


@contextmanager
def open_gate(arguments: argparse.Namespace) -> Iterator[OperatorsGate]:
    """The gate that the flags name.

    Raises
    ------
    ConfigError
        The address or the token cannot be used.
    """
    try:
        address = parse_gate(arguments.gate, is_network_allowed=False)
        given = Path(arguments.token_file) if arguments.token_file else None
        exchange = Exchange(address, find_token(given, address))
    except SettingError as error:
        text = str(error).replace("`gate`", "`--gate`").replace("`token`", "`--token-file`")
        raise ConfigError(text) from None
    with closing(exchange):
        yield OperatorsGate(exchange, visible(arguments.gate))
