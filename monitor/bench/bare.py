"""The decoding that all ratios are relative to: msgspec into the record of an event, and no more.

The struct is a frozen copy of `EventRecord` of version 0.1: if the event format changes, figures of
different revisions keep one measure.
"""

from __future__ import annotations

from typing import Final

import msgspec

_ABSENT: Final = msgspec.Raw(b"")


class BareRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The fields of an event; `args`, `result` and `attributes` stay bytes."""

    v: int = 1
    id: str = ""
    session: str
    seq: int | msgspec.UnsetType = msgspec.UNSET
    ts: str | int
    kind: str
    agent: str = ""
    user: str = ""
    tenant: str = ""
    tool: str = ""
    call: str = ""
    args: msgspec.Raw = _ABSENT
    result: msgspec.Raw = _ABSENT
    error: str = ""
    text: str = ""
    parent: str = ""
    principal: str = ""
    attributes: msgspec.Raw = _ABSENT


bare_decode: Final = msgspec.json.Decoder(BareRecord).decode
