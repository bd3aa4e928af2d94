"""A replay lets invariants be born where they were born live, and finds the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.findings.model import Finding
from monitor.ingest.provenance import Provenance
from monitor.kernel.births import Births
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from replay.compare.findings import compare
from replay.recording.format import Line, RecordLine
from replay.timeline.player import read_line
from tests.support.recordings import (
    WATCHED,
    close_all,
    event,
    program_of,
    record,
    tick,
    timeline_of,
    told,
    write,
)
from tests.support.shelf import Shelf

EDITED = WATCHED.replace("never: egress and once secret", "never: egress and not once secret")
EVENTS = [
    record(event("s", 0, "file.read", args={"path": "/secret"}), 0),
    record(event("s", 1, "tool.requested", 1, tool="post", args={}), 1),
    record(event("t", 0, "heartbeat", 2), 2),
    record(event("s", 2, "tool.requested", 3, tool="post", args={}), 3),
    record(event("t", 1, "tool.requested", 4, tool="post", args={}), 4),
    record(event("u", 0, "tool.requested", 5, tool="post", args={}), 5),
]
EDITED_BEHIND = 3
"""How many events came before the edit."""


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


def live() -> list[Finding]:
    """What monitors found, of whom the second began with an edited invariant."""
    shelf, findings = Shelf(), list[Finding]()
    edited = program_of(EDITED)
    old = {c.digest for c in program_of().invariants}
    since = {c.digest: 1 if c.digest in old else 2 for c in edited.invariants}
    for program, births, lines in (
        (program_of(), Births(1, dict.fromkeys(old, 1)), EVENTS[:EDITED_BEHIND]),
        (edited, Births(2, since), EVENTS[EDITED_BEHIND:]),
    ):
        engine = Kernel(program, KernelSettings(trust_ts=True, births=births), shelf.load)
        for line in lines:
            given = read_line(line)
            assert not hasattr(given, "reason")
            findings += evaluate(engine, Provenance(is_trusted=True), given, "").findings  # type: ignore[arg-type]
        shelf.keep(*engine.take_changes())
    return findings


def test_a_replay_finds_what_was_found_behind_an_edit(tmp_path: Path) -> None:
    """Inconclusive as it was live, and equal; what lies before the edit is not compared."""
    found = live()
    types = [(f.type, f.session) for f in found]
    assert types == [
        ("violated", "s"), ("inconclusive", "s"), ("birth", "s"),
        ("inconclusive", "t"), ("birth", "t"), ("violated", "u"),
    ]  # fmt: skip
    lines: list[Line] = [*EVENTS[:4], tick(3.5), *EVENTS[4:], *map(told, found)]
    path = write(tmp_path / "r.jsonl", lines)
    timeline = timeline_of(path, program_of(EDITED))
    comparison = compare(timeline, ())
    assert comparison.is_equal, comparison.first
    assert comparison.compared_count == 5, "all but the finding of the old invariant"


def test_without_its_births_the_replay_would_differ(tmp_path: Path) -> None:
    """The births are what makes them equal."""
    lines: list[Line] = [*EVENTS, *(told(f) for f in live() if f.type != "birth")]
    comparison = compare(timeline_of(write(tmp_path / "r.jsonl", lines), program_of(EDITED)), ())
    assert not comparison.is_equal


def test_a_birth_that_somebody_made_up_is_read_or_told(tmp_path: Path) -> None:
    """What stands in a recording was written by whoever had it: no birth of it ends a replay."""
    (born,) = [f for f in live() if f.type == "birth" and f.session == "s"]
    assert born.born is not None
    strange = [
        msgspec.structs.replace(born.born, position=10**9, time_ns=-5),
        msgspec.structs.replace(born.born, scope="", invariants={"x": "y"}),
        msgspec.structs.replace(born.born, epoch=-1, per="agent"),
    ]
    forged: list[Line] = [told(msgspec.structs.replace(born, born=one)) for one in strange]
    garbage = msgspec.structs.replace(told(born), text='{"type": "birth", "born": 7}')
    path = write(tmp_path / "r.jsonl", [*EVENTS, *forged, garbage])
    timeline = timeline_of(path, program_of(EDITED))
    assert compare(timeline, ()).unreadable_count == 1
    assert isinstance(EVENTS[0], RecordLine)
