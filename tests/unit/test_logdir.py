"""The log directory: what writers, restarts and attackers do to it, and what readers then say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.topics import APPROVALS, EVENTS
from monitor.transport.base import Poll, Stream
from monitor.transport.logdir.layout import LINE_BYTES_MAX
from monitor.transport.logdir.lines import CHUNK_BYTES
from monitor.transport.logdir.reader import LogDirSource, boundary_warnings
from tests.support.log_source import START_NS, Clock, append, drained, opened, values


@pytest.fixture
def events(tmp_path: Path) -> Path:
    folder = tmp_path / EVENTS
    folder.mkdir()
    return folder


def test_lines_come_with_byte_offsets_and_the_clocks_arrival(tmp_path: Path, events: Path) -> None:
    """A record's offset is where its line starts; its arrival is the clock of the first reading."""
    append(events / "a-1.jsonl", b'{"n":1}\n\n{"n":"\xc3\xbc"}\n')
    source = LogDirSource(tmp_path, now_ns=Clock())
    source.resume({})
    first = source.poll(0, 10)
    assert (first.gained, first.records) == ((Stream(EVENTS, "a-1.jsonl"),), ())
    source.resume({})
    poll = source.poll(0, 10)
    assert [(r.origin.offset, r.value) for r in poll.records] == [
        (0, b'{"n":1}'),
        (9, '{"n":"ü"}'.encode()),
    ]
    frontier = poll.frontiers[Stream(EVENTS, "a-1.jsonl")]
    assert (frontier.next_offset, frontier.is_at_end, frontier.lag_records) == (20, True, 0)
    # Found at some time between the two: after the look before this one, before its end.
    assert frontier.read_to_ns is not None
    assert all(r.arrival_ns is not None for r in poll.records)
    assert {r.arrival_ns for r in poll.records} == {frontier.read_to_ns + 1_000_000}
    assert {r.not_before_ns for r in poll.records} == {0}


def test_a_torn_line_is_waited_for(tmp_path: Path, events: Path) -> None:
    """An unfinished last line is never parsed, and whole as soon as its newline is there."""
    path = events / "a-1.jsonl"
    append(path, b'{"n":1}\n{"n"')
    source = opened(tmp_path)
    assert values(drained(source)[0]) == [b'{"n":1}']
    append(path, b":")
    poll = source.poll(0, 10)
    assert poll.records == ()
    assert poll.frontiers[Stream(EVENTS, "a-1.jsonl")].next_offset == 8
    append(path, b'2}\n{"n":3}\n')
    assert values(drained(source)[0]) == [b'{"n":2}', b'{"n":3}']


@pytest.mark.parametrize("cut", range(1, 16))
def test_any_cut_of_a_write_gives_the_same_lines(tmp_path: Path, events: Path, cut: int) -> None:
    """Wherever a write is torn, the same records come out at the same offsets."""
    data = b'{"n":1}\n{"n":2}\n'
    path = events / "a-1.jsonl"
    append(path, data[:cut])
    source = opened(tmp_path)
    records, _ = drained(source)
    append(path, data[cut:])
    records += drained(source)[0]
    assert [(r.origin.offset, r.value) for r in records] == [(0, b'{"n":1}'), (8, b'{"n":2}')]


@pytest.mark.parametrize("extra", [-1, 0, 1, 2, CHUNK_BYTES, 3 * CHUNK_BYTES])
def test_a_line_beyond_the_limit_is_cut_and_passed(
    tmp_path: Path, events: Path, extra: int
) -> None:
    """A line longer than allowed comes as one byte more than is allowed, and blocks nothing."""
    long = b"x" * (LINE_BYTES_MAX + extra)
    append(events / "a-1.jsonl", b"before\n" + long + b"\nafter\n")
    records, _ = drained(opened(tmp_path))
    assert values(records) == [b"before", long[: LINE_BYTES_MAX + 1], b"after"]
    assert records[2].origin.offset == 7 + len(long) + 1


def test_a_long_line_that_grows_is_searched_once(
    tmp_path: Path, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that were searched for a newline in vain are not read again before it comes."""
    path = events / "a-1.jsonl"
    append(path, b"y" * 500_000)
    source = opened(tmp_path)
    drained(source)
    read: list[int] = []
    pread = os.pread

    def counted(file: int, count: int, offset: int) -> bytes:
        read.append(count)
        return pread(file, count, offset)

    monkeypatch.setattr(os, "pread", counted)
    for _ in range(10):
        append(path, b"y")
        assert drained(source)[0] == []
    assert sum(read) < 5_000


def test_reading_goes_on_at_the_stores_position(tmp_path: Path, events: Path) -> None:
    """After a restart nothing is skipped and nothing comes twice."""
    append(events / "a-1.jsonl", b"1\n2\n3\n")
    source = opened(tmp_path, {Stream(EVENTS, "a-1.jsonl"): 4})
    records, notices = drained(source)
    assert ([(r.origin.offset, r.value) for r in records], notices) == ([(4, b"3")], [])


def test_a_shorter_file_is_told_and_read_anew(tmp_path: Path, events: Path) -> None:
    """Truncation is loud, and what stands there now is read from the start."""
    path = events / "a-1.jsonl"
    append(path, b"first\nsecond\n")
    source = opened(tmp_path)
    drained(source)
    path.write_bytes(b"new\n")
    records, notices = drained(source)
    assert values(records) == [b"new"]
    assert [(n.kind, n.from_offset, n.to_offset) for n in notices] == [("truncated", 13, 0)]


def test_a_position_beyond_the_file_is_told(tmp_path: Path, events: Path) -> None:
    """A store that is ahead of the file means that evidence went away."""
    append(events / "a-1.jsonl", b"one\n")
    source = opened(tmp_path, {Stream(EVENTS, "a-1.jsonl"): 400})
    records, notices = drained(source)
    assert (values(records), [n.kind for n in notices]) == ([b"one"], ["truncated"])


def test_a_position_within_a_line_is_told(tmp_path: Path, events: Path) -> None:
    """The store only knows starts of lines: anything else is another file of that name."""
    append(events / "a-1.jsonl", b"one\ntwo\n")
    source = opened(tmp_path, {Stream(EVENTS, "a-1.jsonl"): 5})
    records, notices = drained(source)
    assert (values(records), [n.kind for n in notices]) == ([b"one", b"two"], ["replaced"])


def test_a_replaced_file_is_told_and_read_anew(tmp_path: Path, events: Path) -> None:
    """Another file under the same name is noticed, whatever its size."""
    path = events / "a-1.jsonl"
    append(path, b"one\ntwo\n")
    source = opened(tmp_path)
    drained(source)
    other = events / "other"
    other.write_bytes(b"ONE\nTWO\nTHREE\n")
    other.replace(path)
    records, notices = drained(source)
    assert values(records) == [b"ONE", b"TWO", b"THREE"]
    assert [n.kind for n in notices] == ["replaced"]


def test_content_changed_in_place_is_told(tmp_path: Path, events: Path) -> None:
    """The same file with other bytes where it was read is noticed."""
    path = events / "a-1.jsonl"
    append(path, b"one\ntwo\n")
    source = opened(tmp_path)
    drained(source)
    with path.open("r+b") as file:
        file.write(b"one\nTWO\nthree\n")
    os.utime(path, ns=(START_NS, START_NS))
    records, notices = drained(source)
    assert values(records) == [b"one", b"TWO", b"three"]
    assert [n.kind for n in notices] == ["replaced"]


def test_files_of_one_writer_are_read_in_order(tmp_path: Path, events: Path) -> None:
    """Rotation keeps the order: 2 after 1 and before 10, also when all are there at once."""
    for number in (10, 2, 1):
        append(events / f"a-{number}.jsonl", b"%d.1\n%d.2\n" % (number, number))
    records, _ = drained(opened(tmp_path), records_max=1)
    assert values(records) == [b"1.1", b"1.2", b"2.1", b"2.2", b"10.1", b"10.2"]


def test_writers_take_turns(tmp_path: Path, events: Path) -> None:
    """A long file does not keep the short ones waiting."""
    append(events / "big-1.jsonl", b"big\n" * 10_000)
    append(events / "small-1.jsonl", b"small\n")
    poll = opened(tmp_path).poll(0, 100)
    assert b"small" in [record.value for record in poll.records]
    assert len(poll.records) <= 100


def test_a_line_left_unfinished_by_a_dead_writer_is_told_once(tmp_path: Path, events: Path) -> None:
    """A torn line whose writer went on is told, and does not stop the writer's next file."""
    append(events / "a-1.jsonl", b'{"n":1}\n{"n":')
    append(events / "a-2.jsonl", b'{"n":3}\n')
    source = opened(tmp_path)
    records, notices = drained(source)
    append(events / "a-2.jsonl", b'{"n":4}\n')
    more, later = drained(source)
    assert values(records + more) == [b'{"n":1}', b'{"n":3}', b'{"n":4}']
    assert [n.kind for n in notices + later] == ["torn"]


def test_a_file_removed_unread_is_told_and_a_read_one_is_not(tmp_path: Path, events: Path) -> None:
    """Retention is silent; evidence that went away unread is not."""
    append(events / "read-1.jsonl", b"1\n")
    source = opened(tmp_path)
    drained(source)
    append(events / "unread-1.jsonl", b"2\n")
    assert source.poll(0, 10).gained
    (events / "read-1.jsonl").unlink()
    (events / "unread-1.jsonl").unlink()
    poll = source.poll(0, 10)
    assert [(n.kind, n.stream.partition) for n in poll.notices] == [("removed", "unread-1.jsonl")]
    assert (poll.frontiers, poll.lost) == ({}, ())


def test_links_pipes_and_odd_names_are_refused_once(tmp_path: Path, events: Path) -> None:
    """What is no plain file of a writer is never opened, and told once."""
    secret = tmp_path / "secret"
    secret.write_bytes(b'{"secret":1}\n')
    (events / "link-1.jsonl").symlink_to(secret)
    os.mkfifo(events / "pipe-1.jsonl")
    (events / "folder-1.jsonl").mkdir()
    (events / ".hidden-1.jsonl").write_bytes(b"x\n")
    (events / "no_number.jsonl").write_bytes(b"x\n")
    append(events / "good-1.jsonl", b"good\n")
    source = LogDirSource(tmp_path, now_ns=Clock())
    source.resume({})
    first = source.poll(0, 10)
    assert sorted(n.stream.partition for n in first.notices) == [
        ".hidden-1.jsonl",
        "folder-1.jsonl",
        "link-1.jsonl",
        "no_number.jsonl",
        "pipe-1.jsonl",
    ]
    source.resume({})
    records, notices = drained(source)
    assert (values(records), notices) == ([b"good"], [])


def test_a_topic_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    """Nobody can point a topic at somebody else's files."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    append(elsewhere / "a-1.jsonl", b"x\n")
    directory = tmp_path / "log"
    directory.mkdir()
    (directory / EVENTS).symlink_to(elsewhere)
    assert opened(directory).poll(0, 10) == Poll(is_whole=True)


def test_a_link_put_in_the_place_of_a_file_is_not_read(tmp_path: Path, events: Path) -> None:
    """Between looking and opening, a swap is noticed by the open itself."""
    path = events / "a-1.jsonl"
    append(path, b"one\n")
    source = opened(tmp_path)
    drained(source)
    path.unlink()
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret\nsecret\n")
    path.symlink_to(secret)
    records, notices = drained(source)
    assert (records, [n.kind for n in notices]) == ([], ["refused"])


def test_files_beyond_the_bound_wait(tmp_path: Path, events: Path) -> None:
    """At the bound, known files go on, others wait and are told."""
    for writer in "abc":
        append(events / f"{writer}-1.jsonl", b"%s\n" % writer.encode())
    source = LogDirSource(tmp_path, now_ns=Clock(), files_max=2)
    source.resume({})
    first = source.poll(0, 10)
    source.resume({})
    records, _ = drained(source)
    assert (len(first.gained), len(records)) == (2, 2)
    assert [n.kind for n in first.notices] == ["refused"]
    (events / first.gained[0].partition).unlink()
    records, _ = drained(source)
    assert len(records) == 1


def test_a_file_that_cannot_be_opened_holds_nobody_up(
    tmp_path: Path, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable file is told and left out of the frontiers, so that no event waits for it."""
    append(events / "a-1.jsonl", b"one\n")
    source = opened(tmp_path)
    opens = os.open

    def refused(path: str, flags: int, **more: int) -> int:
        # As for a file of mode 0: root, who may run this test, could open that one.
        if str(path).endswith("a-1.jsonl"):
            raise PermissionError(13, "Permission denied")
        return opens(path, flags, **more)

    monkeypatch.setattr(os, "open", refused)
    poll = source.poll(0, 10)
    assert ([n.kind for n in poll.notices], poll.frontiers) == (["refused"], {})
    monkeypatch.undo()
    assert values(drained(source)[0]) == [b"one"]


def test_garbage_comes_as_it_is(tmp_path: Path, events: Path) -> None:
    """Bytes that are no text are the decoder's to reject; here nothing is lost or raised."""
    junk = bytes(byte for byte in range(256) if byte != 10)
    append(events / "a-1.jsonl", junk + b"\n\x00\n")
    assert values(drained(opened(tmp_path))[0]) == [junk, b"\x00"]


def test_an_idle_poll_sleeps_and_returns_in_time(tmp_path: Path) -> None:
    """Nothing to read: no busy loop, and no longer than was asked for."""
    clock = Clock()
    source = opened(tmp_path, clock=clock)
    assert source.poll(0.5, 10).records == ()
    assert sum(clock.slept) == pytest.approx(0.5)
    assert max(clock.slept) <= 0.05


def test_arrival_never_goes_back(tmp_path: Path, events: Path) -> None:
    """A clock that is set back does not make later records arrive earlier."""
    clock = Clock()
    source = opened(tmp_path, clock=clock)
    append(events / "a-1.jsonl", b"1\n")
    first = drained(source)[0][0].arrival_ns
    clock.now_ns -= 10**12
    append(events / "a-1.jsonl", b"2\n")
    second = drained(source)[0][0].arrival_ns
    assert first is not None
    assert second is not None
    assert second >= first


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """A misspelt directory is not a quiet one."""
    with pytest.raises(ConfigError, match="is not a directory"):
        LogDirSource(tmp_path / "nowhere", now_ns=Clock())


def test_directories_that_others_can_write_are_told(tmp_path: Path) -> None:
    """Approvals that agents could write are named at the start, sticky bit or not."""
    (tmp_path / APPROVALS).mkdir()
    (tmp_path / APPROVALS).chmod(0o777)
    told = boundary_warnings(tmp_path)
    assert len(told) == 2
    assert APPROVALS in told[0]
    (tmp_path / APPROVALS).chmod(0o1777)
    assert boundary_warnings(tmp_path) == told
    (tmp_path / APPROVALS).chmod(0o700)
    tmp_path.chmod(0o1777)
    assert len(boundary_warnings(tmp_path)) == 1


def test_agents_that_can_remove_each_others_files_are_told(tmp_path: Path) -> None:
    events = tmp_path / EVENTS
    events.mkdir()
    for mode, count in ((0o777, 2), (0o775, 2), (0o1777, 1), (0o755, 1)):
        events.chmod(mode)
        told = boundary_warnings(tmp_path)
        assert len(told) == count
        assert ("sticky" in told[0]) == (count == 2)
