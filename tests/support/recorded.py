"""The recorded agent sessions in ../shared/data: where they are, as they stand, and published.

They are read in place and never copied into the project.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from interlock import Client, ClientOptions
from tests.conftest import require_or_skip
from tests.support.kafka_broker import CHECKOUT

FOLDER = CHECKOUT.parent / "shared" / "data" / "agent-sessions"
EVENTS_COUNT = 129_566
SMALLEST = "taubench.gpt-4o-airline.jsonl.gz"


def session_files() -> list[Path]:
    """All files of events; ends the test where they are not there."""
    files = sorted(f for f in FOLDER.glob("*.jsonl.gz") if not f.name.startswith("labels"))
    if not files:
        require_or_skip("data", "../shared/data/agent-sessions is not there")
    return files


def smallest_file() -> list[Path]:
    """The one file for quick runs: 5,598 events."""
    return [file for file in session_files() if file.name == SMALLEST]


def joined(files: Sequence[Path], path: Path) -> Path:
    """All files as one; gzip members that follow one another are one stream."""
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    return path


def events(files: Sequence[Path]) -> Iterator[bytes]:
    for file in files:
        with gzip.open(file) as lines:
            for line in lines:
                yield line.rstrip(b"\n")


def in_parts(files: Sequence[Path], count: int) -> list[list[bytes]]:
    """The events cut into `count` parts such that every session goes through all of them."""
    sessions: dict[str, list[bytes]] = {}
    for event in events(files):
        sessions.setdefault(msgspec.json.decode(event)["session"], []).append(event)
    parts: list[list[bytes]] = [[] for _ in range(count)]
    for session in sessions.values():
        for number, event in enumerate(session):
            parts[number * count // len(session)].append(event)
    return parts


def publish(target: str, recording: Iterable[bytes]) -> int:
    """Publish every event by our own client; how many there were. None may be shed or refused."""
    count = 0
    with Client(target, ClientOptions(control=False, block_ms_max=60_000, linger_ms=5)) as client:
        for event in recording:
            client.publish_recorded(event)
            count += 1
        assert client.flush(120), client.stats()
        stats = client.stats()
    assert (stats.published, stats.dropped, stats.errors) == (count, {}, 0), stats
    return count
