"""One writer of a log directory that never comes to an end must not hold up the others."""

from __future__ import annotations

from pathlib import Path

from monitor.topics import APPROVALS, EVENTS
from monitor.transport.base import Frontier, Stream
from monitor.transport.logdir.lines import CHUNK_BYTES, SHARE_BYTES
from monitor.transport.logdir.reader import LogDirSource
from monitor.transport.logdir.tail import READ_BYTES_MAX, LogTail

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
    """A terabyte of nothing costs a writer nothing: the others go on soon, and behind nothing."""
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
    began_ns = clock.now_ns
    while (frontier(source, "z-1.jsonl").read_to_ns or 0) < began_ns:
        assert clock.now_ns < began_ns + 1_000_000_000, "a thousand looks"


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


def test_a_pause_of_the_monitor_puts_no_answer_behind_what_it_answers(tmp_path: Path) -> None:
    """On a slow machine two looks were more than five seconds apart: honest payments, asked for in
    one file and approved in another before that, were told as not approved."""
    for topic in (EVENTS, APPROVALS):
        (tmp_path / topic).mkdir()
        (tmp_path / topic / "a-1.jsonl").write_bytes(b"{}\n")
    clock = Clock()
    source = opened(tmp_path, clock)
    frontier(source, "a-1.jsonl")
    # Approvals were looked at already when one comes, and after it what it approves.
    with (tmp_path / EVENTS / "a-1.jsonl").open("ab") as file:
        file.write(b"{}\n")
    (paid,) = source.poll(0, 10).records
    with (tmp_path / APPROVALS / "a-1.jsonl").open("ab") as file:
        file.write(b"{}\n")
    clock.now_ns += 60_000_000_000
    (approved,) = source.poll(0, 10).records
    assert approved.not_before_ns is not None and paid.arrival_ns is not None
    assert 0 < approved.not_before_ns < paid.arrival_ns


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


def test_a_flooded_file_makes_no_other_file_look_old(tmp_path: Path) -> None:
    """What waits behind a flood is as old as it is; guards refused for five seconds more."""
    folder = tmp_path / EVENTS
    folder.mkdir()
    (folder / "a-1.jsonl").write_bytes(b"{}\n")
    clock = Clock()
    source = opened(tmp_path, clock)
    frontier(source, "a-1.jsonl")
    with (folder / "z-1.jsonl").open("wb") as file:
        file.truncate(SPARSE_BYTES)
    frontier(source, "z-1.jsonl")
    clock.now_ns += 60_000_000_000
    looked_ns = clock.now_ns
    frontier(source, "z-1.jsonl")
    with (folder / "a-1.jsonl").open("ab") as file:
        file.write(b"{}\n")
    clock.now_ns += 1_000_000_000
    (record,) = source.poll(0, 10).records
    assert record.not_before_ns is not None and record.not_before_ns > looked_ns


def _tail_of(directory: Path) -> LogTail:
    tail = LogTail(directory, (EVENTS,))
    tail.find()
    tail.place({})
    return tail


def _bytes_read(tail: LogTail) -> int:
    return sum(followed.cursor.bytes_read for followed in tail.files.values())


def test_files_without_a_line_share_the_bytes_of_one_read(tmp_path: Path) -> None:
    """4,096 files of a terabyte took 4 GB a look: nobody's stop came, and health failed."""
    folder = tmp_path / EVENTS
    folder.mkdir()
    for number in range(64):
        with (folder / f"w{number}-1.jsonl").open("wb") as file:
            file.truncate(SPARSE_BYTES)
    tail = _tail_of(tmp_path)
    for looks in range(1, 4):
        assert tail.read(1_000) == ([], [])
        assert tail.is_moving
        assert _bytes_read(tail) <= looks * (READ_BYTES_MAX + CHUNK_BYTES)


def test_many_files_are_read_no_further_than_their_lines_need(tmp_path: Path) -> None:
    """One line of each of thousands of files must not cost a chunk of each."""
    folder = tmp_path / EVENTS
    folder.mkdir()
    for number in range(32):
        (folder / f"w{number}-1.jsonl").write_bytes(b"{}\n" * 50_000)
    tail = _tail_of(tmp_path)
    lines, _ = tail.read(32)
    assert len(lines) == 32
    assert _bytes_read(tail) <= 32 * SHARE_BYTES


def test_a_line_longer_than_a_share_is_read_whole(tmp_path: Path) -> None:
    folder = tmp_path / EVENTS
    folder.mkdir()
    long = b'{"text": "' + b"x" * (10 * SHARE_BYTES) + b'"}'
    for name in ("a-1.jsonl", "b-1.jsonl"):
        (folder / name).write_bytes(b"{}\n" + long + b"\n{}\n")
    tail = _tail_of(tmp_path)
    found: dict[Stream, list[bytes]] = {}
    while not found or tail.is_moving:
        for stream, line in tail.read(2)[0]:
            found.setdefault(stream, []).append(line.value)
    assert list(found.values()) == [[b"{}", long, b"{}"]] * 2
