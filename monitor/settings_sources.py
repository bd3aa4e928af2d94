"""The rows of the table of settings that speak of data memories (`sources`)."""

from __future__ import annotations

from dataclasses import dataclass

from .setting import row


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """How much sessions may remember of what they were shown, and by which key."""

    fingerprint_key_file: str | None = row(
        "fingerprint_key_file",
        "path",
        None,
        "A file with the keys of fingerprints, one a line, the newest first: new sessions take the "
        "first, and each older one is needed until the last session that began with it is over.",
        unset_means="the key of `digest(...)`",
    )
    pairs_max: int = row(
        "pairs_max",
        "integer",
        200_000,
        "Fingerprints (of tokens, and of pairs of them) held per session and source.",
        minimum=1,
        maximum=10_000_000,
    )
    pairs_in_memory_max: int = row(
        "pairs_in_memory_max",
        "integer",
        4_000_000,
        "Fingerprints that all sessions in memory may hold, at some 200 bytes each; past it, those "
        "untouched for longest are read from the store when needed.",
        minimum=1,
        maximum=1_000_000_000,
    )
