"""Outgoing records made to fit: dead letters, and findings that are too large for one record.

Pure. A broker accepts records of about 1 MiB. A record that it never accepts would be retried for
ever and block all later ones; agents influence both its size and its existence.
"""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from monitor.findings.model import Finding
from monitor.ingest.rejected import Rejected
from monitor.log import shorten

RAW_BYTES_MAX: Final = 640 * 1024  # Chosen: as base64 it leaves room for the rest of the letter.
FINDING_BYTES_MAX: Final = 900 * 1024
VALUE_CHARACTERS_MAX: Final = 1_000
EVENTS_MAX: Final = 50
CUT: Final = "truncated to fit a record; the monitor's store contains the full text"


class DeadLetter(msgspec.Struct, frozen=True):
    """A rejected record, as published on the dead-letter topic."""

    reason: str
    detail: str
    origin: str
    size_bytes: int
    digest: str
    excerpt: str
    raw: str | None = None
    """Base64 of the whole record, only with `dlq_raw: true`, and up to `RAW_BYTES_MAX`."""


def dead_letter(rejected: Rejected, raw: bytes | None) -> bytes:
    """The letter of one record, as JSON."""
    detail = rejected.detail
    if raw is not None and len(raw) > RAW_BYTES_MAX:
        raw, detail = None, f"{detail} (its bytes are omitted: more than {RAW_BYTES_MAX})"
    letter = DeadLetter(
        rejected.reason,
        detail,
        str(rejected.origin),
        rejected.size_bytes,
        rejected.digest,
        rejected.excerpt,
        None if raw is None else base64.b64encode(raw).decode(),
    )
    return msgspec.json.encode(letter)


def fitting(finding: bytes) -> bytes:
    """A finding's JSON, unchanged, or with its binding and its witness truncated and marked.

    Two values of 800 KB, from two events, are enough to make it larger than any record.
    """
    if len(finding) <= FINDING_BYTES_MAX:
        return finding
    whole = msgspec.json.decode(finding, type=Finding)
    cut = msgspec.structs.replace(
        whole,
        binding={
            name: shorten(value, VALUE_CHARACTERS_MAX) if isinstance(value, str) else value
            for name, value in whole.binding.items()
        },
        witness=whole.witness[:EVENTS_MAX],
        absences=whole.absences[:EVENTS_MAX],
        unknowns=whole.unknowns[:EVENTS_MAX],
        undecided=whole.undecided[:EVENTS_MAX],
        detail=f"{shorten(whole.detail, VALUE_CHARACTERS_MAX)} [{CUT}]".strip(),
    )
    return msgspec.json.encode(cut)
