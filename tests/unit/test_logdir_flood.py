"""One writer of a log directory that never comes to an end must not hold up the others."""

from __future__ import annotations

from pathlib import Path

from monitor.sources.base import Frontier, Stream
from monitor.sources.logdir import UNSEEN_NS_MAX, LogDirSource
from monitor.topics import EVENTS

START_NS = 1_700_000_000_000_000_000
SPARSE_BYTES = 10**12


class Clock:
    """Time that moves by a millisecond whenever it is looked at."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns


def opened(directory: Path, clock: Clock) -> LogDirSource:
    source = LogDirSource(directory, now_ns=clock, sleep=lambda seconds: None)
    source.poll(0, 10)
    source.resume({})
    return source


def frontier(source: LogDirSource, name: str) -> Frontier:
    poll = source.poll(0, 10)
    if poll.gained:
        source.resume({})
    return poll.frontiers[Stream(EVENTS, name)]


def test_a_file_without_an_end_is_waited_for_and_not_for_ever(tmp_path: Path) -> None:
    """A terabyte of nothing costs a writer nothing: the others go on, five seconds behind."""
    folder = tmp_path / EVENTS
    folder.mkdir()
    (folder / "a-1.jsonl").write_bytes(b"{}\n")
    clock = Clock()
    source = opened(tmp_path, clock)
    assert frontier(source, "a-1.jsonl").is_at_end
    with (folder / "z-1.jsonl").open("wb") as file:
        file.truncate(SPARSE_BYTES)
    frontier(source, "z-1.jsonl")
    known = frontier(source, "z-1.jsonl")
    assert not known.is_at_end and known.read_to_ns is not None
    assert clock.now_ns - known.read_to_ns < 2 * UNSEEN_NS_MAX


def test_what_is_read_later_is_put_no_further_back_than_was_promised(tmp_path: Path) -> None:
    """The order of what was given on already holds: a promise of a frontier is kept."""
    folder = tmp_path / EVENTS
    folder.mkdir()
    clock = Clock()
    (folder / "a-1.jsonl").write_bytes(b"{}\n")
    source = opened(tmp_path, clock)
    frontier(source, "a-1.jsonl")
    (folder / "z-1.jsonl").write_bytes(b"{}\n" * 50)
    promised_ns = 0
    for _ in range(8):
        clock.now_ns += 3_000_000_000
        poll = source.poll(0, 10)
        if poll.gained:
            source.resume({})
        for record in poll.records:
            assert record.not_before_ns is not None and record.not_before_ns >= promised_ns
        promised_ns = poll.frontiers[Stream(EVENTS, "z-1.jsonl")].read_to_ns or promised_ns
    assert promised_ns > START_NS


def test_a_start_before_such_a_file_waits_for_what_stands_there(tmp_path: Path) -> None:
    """What was written while nobody looked is caught up with first; an endless line is not it."""
    folder = tmp_path / EVENTS
    folder.mkdir()
    (folder / "a-1.jsonl").write_bytes(b"{}\n" * 20)
    with (folder / "z-1.jsonl").open("wb") as file:
        file.truncate(SPARSE_BYTES)
    source = opened(tmp_path, Clock())
    assert frontier(source, "z-1.jsonl").read_to_ns is None
    for _ in range(5):
        known = frontier(source, "z-1.jsonl")
    assert known.read_to_ns is not None
