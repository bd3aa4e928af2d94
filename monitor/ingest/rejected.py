"""A rejected record: the reason, and the parts that may be shown."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal, get_args

import msgspec

from invariants.model.event import Origin
from monitor.ingest.salvage import NOTHING_KNOWN, Salvage

Reason = Literal[
    "empty",
    "too_large",
    "not_json",
    "not_utf8",
    "too_deep",
    "numbers",
    "repeated_key",
    "field",
    "version",
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

EXCERPT_BYTES: Final = 160
"""Chosen: enough to see the shape of a record, too little to carry a document."""


class Rejected(msgspec.Struct, frozen=True):
    """A record that no invariant sees; it is counted, kept as a dead letter, and never silent.

    `detail` contains field, place and reason, and no text of the record. `excerpt` shows only the
    record's shape: every letter becomes `x`, every digit `0`. `known` contains the parts that could
    still be read; `principal`, `arrival_ns` and `not_before_ns` come from its source, and determine
    its trace and its place in the order.
    """

    reason: Reason
    detail: str
    origin: Origin
    size_bytes: int
    digest: str
    excerpt: str
    known: Salvage = NOTHING_KNOWN
    principal: str = ""
    arrival_ns: int | None = None
    not_before_ns: int | None = None


def reject(reason: Reason, detail: str, origin: Origin, value: bytes) -> Rejected:
    """A `Rejected` for these bytes, with nothing of their content in it."""
    digest = hashlib.blake2b(value, digest_size=16).hexdigest()
    return Rejected(reason, detail, origin, len(value), digest, redact(value[:EXCERPT_BYTES]))


def redact(value: bytes) -> str:
    """The shape of some bytes."""
    text = value.decode("utf-8", "replace")
    text = re.sub(r"[^\W\d_]", "x", text)
    text = re.sub(r"\d", "0", text)
    return "".join(character if character.isprintable() else "." for character in text)
