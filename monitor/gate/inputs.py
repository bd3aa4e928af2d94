"""The parts of an agent's request, checked: each fault is a `MalformedError` with what to send."""

from __future__ import annotations

from typing import Final

import msgspec

from interlock.errors import SettingError
from interlock.limits import RECORD_BYTES_MAX
from interlock.names import checked_ancestor, checked_name, checked_session_id
from monitor.exceptions.statement import ID as EXCEPTION_ID
from monitor.gate.decider import Asked
from monitor.gate.errors import MalformedError
from monitor.gate.wire import Told
from monitor.trace_key import TraceKey

REQUEST_CHARS_MAX: Final = 128
ASK_BYTES_MAX: Final = RECORD_BYTES_MAX - 64 * 1024
"""A record has the request and the gate's own part of it."""
UNASKED: Final = "interlock_unasked"
"""The attribute of a call that was made while no gate answered, and is reported afterwards."""
OMITTED: Final = "interlock_args_omitted"


def trace_key(principal: str, session: str) -> TraceKey:
    """The trace of a principal's session. The sessions of exceptions are the gate's own: their
    events state the exception, although it does not concern its issuer.
    """
    if EXCEPTION_ID.fullmatch(session):
        raise MalformedError("`session`: `x-` and 32 digits name an exception; use another id")
    try:
        return TraceKey(principal, checked_session_id(session))
    except SettingError as error:
        raise MalformedError(f"`session`: {error}") from None


def name_of(text: str, what: str) -> str:
    """A name within the limits of docs/events.md."""
    try:
        return checked_name(text, what)
    except SettingError as error:
        raise MalformedError(str(error)) from None


def ancestor_of(text: str) -> str:
    """The session that began another, or nothing."""
    try:
        return checked_ancestor(text) if text else ""
    except SettingError as error:
        raise MalformedError(f"`parent`: {error}") from None


def check_request(request: str) -> None:
    """The id of a request is short, and can be shown."""
    if len(request) > REQUEST_CHARS_MAX or not request.isprintable():
        raise MalformedError(f"`request`: at most {REQUEST_CHARS_MAX} printable characters")


def check_size(asked: Asked) -> None:
    """A record has room for the call and for the gate's own part."""
    if len(bytes(asked.args)) + len(bytes(asked.attributes)) > ASK_BYTES_MAX:
        raise MalformedError(f"`args` and `attributes`: at most {ASK_BYTES_MAX} bytes together")


def check_omission(asked: Asked) -> None:
    """Arguments that are there and said to be omitted would be allowed unread."""
    if bytes(asked.args) in (b"", b"null"):
        return
    try:
        attributes = msgspec.json.decode(asked.attributes or b"{}", type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return  # It is not an event either, which is refused where it is read.
    if not bytes(attributes.get(OMITTED, b"[")).lstrip().startswith(b"["):
        raise MalformedError(f"`{OMITTED}` says that all `args` are omitted: send one of the two")


def is_unasked(told: Told) -> bool:
    """True for a call that was made while no gate answered: it is judged like any event."""
    try:
        attributes = msgspec.json.decode(told.attributes or b"{}", type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return False
    return bytes(attributes.get(UNASKED, b"")) == b"true"


def told_fields(told: Told) -> dict[str, object]:
    """The other fields of an event that an agent tells."""
    for what in ("tool", "call"):
        name_of(getattr(told, what), what)
    fields = msgspec.structs.asdict(told)
    del fields["kind"]
    return fields
