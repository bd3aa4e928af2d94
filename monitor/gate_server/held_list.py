"""Held calls in a response: a list that fits, without parts that were omitted. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from invariants.model.event import RAW_ABSENT
from monitor.gate.wire import HeldCall
from monitor.gate_server.routes import HeldList

LISTED_ARGS_BYTES_MAX: Final = 4_096
"""Chosen: longer arguments are on the page of their call. An agent with a few long ones would hide
the calls of others from the list."""


def listed(held: list[HeldCall], bytes_max: int) -> HeldList:
    """The oldest calls that fit."""
    found: list[HeldCall] = []
    without_args: list[str] = []
    size = 0
    for call in held:
        asked_bytes = len(bytes(call.args)) + len(bytes(call.attributes))
        shown, is_long = call, asked_bytes > LISTED_ARGS_BYTES_MAX
        if is_long:
            shown = msgspec.structs.replace(call, args=RAW_ABSENT, attributes=RAW_ABSENT)
        size += 4_096 + (0 if is_long else asked_bytes)
        if size > bytes_max:
            break
        found.append(with_args(shown))
        without_args += [call.id] if is_long else []
    return HeldList(found, without_args, len(held) - len(found))


def with_args(held: HeldCall) -> HeldCall:
    """The call; what was omitted of it is not written, as no bytes are not JSON."""
    absent = {name: RAW_ABSENT for name in ("args", "attributes") if not bytes(getattr(held, name))}
    return msgspec.structs.replace(held, **absent)
