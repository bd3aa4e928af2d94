"""The workload `recorded-v1`: recorded sessions of agents, and the default packs of version 0.1.

The packs lie beside this file as they stood when the workload was made, so that figures of
different revisions are of one work. The recordings are read where they lie. Both are named by a
digest, and other contents are refused.

Sessions come whole, in the order of the digests of their ids: each turn of a bench is then like the
others, and any number of events is a fair sample.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from invariants.model.errors import ConfigError

WORKLOAD: Final = "recorded-v1"
PACKS: Final = Path(__file__).with_name("recorded_v1")
PACKS_DIGEST: Final = "a7cebe20796f6b16"
RECORDINGS_DIGEST: Final = "8d5e81c2d1c42b60"


class _Named(msgspec.Struct):
    session: str


def recorded_events(folder: Path, count: int) -> list[bytes]:
    """The first sessions that have `count` events together, cut there.

    Raises
    ------
    ConfigError
        The folder or the packs are not those of the workload.
    """
    if (found := recordings_digest(folder)) != RECORDINGS_DIGEST:
        raise ConfigError(
            f"`{folder}` does not contain the recordings of `{WORKLOAD}`: digest {found}, expected "
            f"{RECORDINGS_DIGEST}"
        )
    if (found := packs_digest()) != PACKS_DIGEST:
        raise ConfigError(
            f"`{PACKS}` does not contain the packs of `{WORKLOAD}`: digest {found}, expected "
            f"{PACKS_DIGEST}"
        )
    return in_turns(_sessions(folder))[:count]


def recordings_digest(folder: Path) -> str:
    """Of the names and the compressed bytes of all files of events."""
    return _digest(_files(folder))


def packs_digest() -> str:
    """Of the frozen packs."""
    return _digest(pack_files())


def pack_files() -> list[Path]:
    """The frozen packs, by name."""
    return sorted(PACKS.glob("*.yaml"))


def in_turns(sessions: Iterable[list[bytes]]) -> list[bytes]:
    """The events of all sessions, one session after the other in the order of their digests."""
    ordered = sorted(sessions, key=lambda events: hashlib.sha256(_session(events[0])).digest())
    return [event for events in ordered for event in events]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.jsonl.gz") if not path.name.startswith("labels"))


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.name}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def _sessions(folder: Path) -> Iterable[list[bytes]]:
    sessions: dict[bytes, list[bytes]] = {}
    for path in _files(folder):
        with gzip.open(path) as lines:
            for line in lines:
                event = line.rstrip(b"\n")
                sessions.setdefault(_session(event), []).append(event)
    return sessions.values()


_decode: Final = msgspec.json.Decoder(_Named).decode


def _session(event: bytes) -> bytes:
    return _decode(event).session.encode()
