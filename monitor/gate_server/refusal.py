"""Refusals over HTTP: each code with its status. Codes are stable, texts may improve."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from monitor.gate.errors import GateError

ERRORS: Final[Mapping[str, tuple[HTTPStatus, str]]] = {
    "malformed": (HTTPStatus.BAD_REQUEST, "the request cannot be read, or is beyond a limit"),
    "unauthenticated": (HTTPStatus.UNAUTHORIZED, "no principal is known by these credentials"),
    "forbidden": (HTTPStatus.FORBIDDEN, "this principal, or a page in a browser, may not do this"),
    "unknown": (HTTPStatus.NOT_FOUND, "no such page, request or held call"),
    "method": (HTTPStatus.METHOD_NOT_ALLOWED, "the page has other methods; `Allow` names them"),
    "slow": (HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time"),
    "conflict": (HTTPStatus.CONFLICT, "the request contradicts what the gate has recorded"),
    "too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is longer than allowed"),
    "media_type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is not `application/json`"),
    "host": (HTTPStatus.MISDIRECTED_REQUEST, "`Host` is not a name of this gate"),
    "crowded": (HTTPStatus.TOO_MANY_REQUESTS, "a bound of this principal; `Retry-After` says when"),
    "not_ready": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the gate is stopping, cannot record, or cannot claim the session on Kafka",
    ),
}
"""By code: the status, and the meaning for docs/gate.md and the OpenAPI document."""


class Fault(msgspec.Struct, frozen=True):
    """Why a request got no answer."""

    code: str
    message: str


class FaultBody(msgspec.Struct, frozen=True):
    """The body of every error."""

    error: Fault


class Refused(Exception):  # noqa: N818  (a decision of the server, beside the core's errors)
    """A request that does not reach the core; `closes` also ends the connection."""

    def __init__(self, code: str, message: str, *, closes: bool = False, allow: str = "") -> None:
        super().__init__(message)
        assert code in ERRORS, code
        self.code, self.closes, self.allow = code, closes, allow


def status_of(error: Refused | GateError) -> HTTPStatus:
    """The status that goes with an error's code."""
    return ERRORS[error.code][0]


def fault_body(code: str, message: str) -> bytes:
    """The body that goes with it."""
    return msgspec.json.encode(FaultBody(Fault(code, message)))
