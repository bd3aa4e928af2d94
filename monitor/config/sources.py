"""The rows of the table of settings for data memories (`sources`)."""

from __future__ import annotations

from dataclasses import dataclass

from .setting import row


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """How much of the shown values sessions may remember, and by which key."""

    fingerprint_key_file: str | None = row(
        "fingerprint_key_file",
        "path",
        None,
        "A file with the keys of fingerprints, one per line, the newest first. New sessions use "
        "the first. Each older key is needed until the last session that began with it is over.",
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
        "Fingerprints that all sessions in memory may hold, at about 200 bytes each. Beyond it, "
        "the least recently used sessions are evicted, and read from the store when needed.",
        minimum=1,
        maximum=1_000_000_000,
    )
