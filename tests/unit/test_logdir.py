"""The log directory: what writers, restarts and attackers do to it, and what readers then say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from invariants.errors import ConfigError
from monitor.publish.logdir import LogDirPublisher, remove_expired
from monitor.sources.base import Notice, Poll, Record, Stream
from monitor.sources.log_layout import LINE_BYTES_MAX, from_line, parse_file_name, to_line
from monitor.sources.log_lines import CHUNK_BYTES
from monitor.sources.logdir import LogDirControlReader, LogDirSource, boundary_warnings
from monitor.topics import APPROVALS, CONTROL, DEAD_LETTERS, EVENTS, TopicPolicy

START_NS = 1_700_000_000_000_000_000


class Clock:
    """Time that moves by a millisecond whenever it is looked at, and by sleeping."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.slept: list[float] = []

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += int(seconds * 1e9)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    folder = tmp_path / EVENTS
    folder.mkdir()
    return folder


def opened(
    directory: Path, positions: dict[Stream, int] | None = None, clock: Clock | None = None
) -> LogDirSource:
    """A source that has been through its first poll and knows the store's positions."""
    clock = clock or Clock()
    source = LogDirSource(directory, now_ns=clock, sleep=clock.sleep)
    source.resume(positions or {})
    source.poll(0, 10)
    source.resume(positions or {})
    return source


def drained(source: LogDirSource, records_max: int = 100) -> tuple[list[Record], list[Notice]]:
    """All records and notices until a poll brings nothing; new files are resumed at once."""
    records: list[Record] = []
    notices: list[Notice] = []
    while True:
        poll = source.poll(0, records_max)
        records += poll.records
        notices += poll.notices
        if poll.gained:
            source.resume({})
        elif not poll.records and not poll.notices:
            return records, notices


def values(records: list[Record]) -> list[bytes]:
    return [record.value for record in records]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


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
    assert {r.arrival_ns for r in poll.records} == {frontier.read_to_ns}


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
    assert opened(directory).poll(0, 10) == Poll()


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
    with pytest.raises(ConfigError, match="is no directory"):
        LogDirSource(tmp_path / "nowhere", now_ns=Clock())


def test_directories_that_others_can_write_are_told(tmp_path: Path) -> None:
    """Approvals that agents could write are named at the start."""
    (tmp_path / APPROVALS).mkdir()
    (tmp_path / APPROVALS).chmod(0o777)
    told = boundary_warnings(tmp_path)
    assert len(told) == 2
    assert APPROVALS in told[0]


class TestPublisher:
    """What the publisher appends is what the source reads."""

    def test_published_records_are_read_back(self, tmp_path: Path) -> None:
        """Values come back as they were, in order, topic by topic."""
        publisher = LogDirPublisher(tmp_path, "w")
        publisher.publish(EVENTS, "s", b'{"n":1}')
        publisher.publish(APPROVALS, "s", b'{"n":2}')
        publisher.publish(EVENTS, "s", b'{"n":3}')
        publisher.flush(1)
        records, _ = drained(opened(tmp_path))
        assert [(r.origin.topic, r.value) for r in records] == [
            (EVENTS, b'{"n":1}'),
            (EVENTS, b'{"n":3}'),
            (APPROVALS, b'{"n":2}'),
        ]
        publisher.close()
        publisher.close()

    def test_files_are_rotated_by_size(self, tmp_path: Path) -> None:
        """A file that would grow beyond its bound is followed by the next number."""
        publisher = LogDirPublisher(tmp_path, "w", file_bytes_max=20)
        for number in range(5):
            publisher.publish(EVENTS, "s", b'{"n":%d}' % number)
        publisher.close()
        assert sorted(path.name for path in (tmp_path / EVENTS).iterdir()) == [
            "w-1.jsonl",
            "w-2.jsonl",
            "w-3.jsonl",
        ]
        assert values(drained(opened(tmp_path))[0]) == [b'{"n":%d}' % n for n in range(5)]

    def test_a_second_publisher_begins_a_file_of_its_own(self, tmp_path: Path) -> None:
        """What a dead writer left unfinished is never completed by the next one."""
        (tmp_path / EVENTS).mkdir()
        append(tmp_path / EVENTS / "w-1.jsonl", b'{"torn":')
        publisher = LogDirPublisher(tmp_path, "w")
        publisher.publish(EVENTS, "s", b"{}")
        publisher.close()
        records, notices = drained(opened(tmp_path))
        assert (values(records), [n.kind for n in notices]) == ([b"{}"], ["torn"])

    def test_a_child_writes_to_its_own_file(self, tmp_path: Path) -> None:
        """After a fork, parent and child never append to the same file."""
        publisher = LogDirPublisher(tmp_path, "w")
        publisher.publish(EVENTS, "s", b'"parent"')
        child = os.fork()
        if child == 0:
            publisher.publish(EVENTS, "s", b'"child"')
            publisher.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        publisher.publish(EVENTS, "s", b'"parent again"')
        publisher.close()
        assert (tmp_path / EVENTS / "w-1.jsonl").read_bytes() == b'"parent"\n"parent again"\n'
        assert (tmp_path / EVENTS / "w-2.jsonl").read_bytes() == b'"child"\n'

    def test_a_short_write_is_an_error_and_stays_torn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a full disk the caller is told, and the next record starts in another file."""
        publisher = LogDirPublisher(tmp_path, "w")
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
        with pytest.raises(OSError, match="only 3 of 8 bytes"):
            publisher.publish(EVENTS, "s", b'{"n":1}')
        monkeypatch.undo()
        publisher.publish(EVENTS, "s", b'{"n":2}')
        publisher.close()
        assert values(drained(opened(tmp_path))[0]) == [b'{"n":2}']

    @pytest.mark.parametrize("value", [b"", b"a\nb"])
    def test_what_is_no_line_is_refused(self, tmp_path: Path, value: bytes) -> None:
        """A value with a line break would become two records."""
        with pytest.raises(ValueError, match="one line"):
            LogDirPublisher(tmp_path, "w").publish(EVENTS, "s", value)

    @pytest.mark.parametrize("writer", ["", "../x", "a/b", ".a", "a" * 101, "a\n"])
    def test_a_writers_name_cannot_leave_the_directory(self, tmp_path: Path, writer: str) -> None:
        """Names of writers are plain."""
        with pytest.raises(ValueError, match="no name of a writer"):
            LogDirPublisher(tmp_path, writer)

    def test_retention_takes_old_files_but_never_the_newest_or_the_control_topic(
        self, tmp_path: Path
    ) -> None:
        """What is older than the topic is kept goes; each writer's newest file stays."""
        for topic in (EVENTS, CONTROL):
            (tmp_path / topic).mkdir()
            for number in (1, 2, 10):
                path = tmp_path / topic / f"w-{number}.jsonl"
                path.write_bytes(b"{}\n")
                os.utime(path, ns=(0, 0))
        fresh = tmp_path / EVENTS / "w-2.jsonl"
        os.utime(fresh, ns=(START_NS, START_NS))
        assert remove_expired(tmp_path, START_NS + 10) == (tmp_path / EVENTS / "w-1.jsonl",)
        assert remove_expired(
            tmp_path, START_NS + 2_000_000, {EVENTS: TopicPolicy("delete", 1)}
        ) == (fresh,)


class TestControl:
    """The control topic in a log directory."""

    def test_all_records_come_in_the_order_of_their_issue(self, tmp_path: Path) -> None:
        """Between writers, `issued_at` decides; within one file, its order."""
        for writer, issued in (("b", (1, 4)), ("a", (3, 2))):
            publisher = LogDirPublisher(tmp_path, writer)
            for at in issued:
                value = json.dumps({"state": "active", "issued_at": at}).encode()
                publisher.publish(CONTROL, f"session:{at}", value)
            publisher.close()
        reader = LogDirControlReader(tmp_path)
        assert [key for key, _ in reader.read_to_end(1)] == [f"session:{n}" for n in (1, 2, 3, 4)]
        assert reader.poll(0) == []
        publisher = LogDirPublisher(tmp_path, "c")
        publisher.publish(CONTROL, "global", b"")
        assert reader.poll(0) == [("global", None)]
        publisher.close()
        reader.close()

    def test_more_lines_than_one_read_takes_are_all_there(self, tmp_path: Path) -> None:
        """Reading to the end means to the end, rotated files and long lines included."""
        publisher = LogDirPublisher(tmp_path, "w", file_bytes_max=100_000)
        for number in range(3_000):
            publisher.publish(CONTROL, f"k{number}", b'{"issued_at":%d}' % number)
        publisher.publish(CONTROL, "last", b'{"issued_at":9000,"x":"%s"}' % (b"x" * 2_000_000))
        publisher.publish(CONTROL, "very last", b'{"issued_at":9001}')
        publisher.close()
        found = LogDirControlReader(tmp_path).read_to_end(1)
        assert len(found) == 3_002
        assert found[-1] == ("very last", b'{"issued_at":9001}')


class TestLayout:
    """Names and envelopes."""

    @pytest.mark.parametrize(
        ("value", "headers"),
        [
            (b'{"a":1}', ()),
            (b"", ()),
            (b"no json", (("content-type", b"x\xff"),)),
            (b'{"a":\n1}', ()),
            (b"\xff\x00", ()),
            (b'"null"', ()),
        ],
    )
    def test_an_envelope_gives_back_what_went_in(
        self, value: bytes, headers: tuple[tuple[str, bytes], ...]
    ) -> None:
        """Key, value and headers survive the envelope, whatever bytes they are."""
        line = to_line(DEAD_LETTERS, "k\n", value, headers)
        assert line.count(b"\n") == 1
        assert from_line(DEAD_LETTERS, line.removesuffix(b"\n")) == (b"k\n", value, headers)

    @pytest.mark.parametrize(
        "line", [b"{}", b"[", b'{"key":1}', b'{"key":"k","bytes":"?"}', b"[" * 5_000, b"\xff"]
    )
    def test_what_is_no_envelope_is_a_value_without_key(self, line: bytes) -> None:
        """Garbage in a topic with envelopes is no error and no key."""
        assert from_line(CONTROL, line) == (None, line, ())

    @pytest.mark.parametrize(
        "name", ["a.jsonl", "-1.jsonl", "a-x.jsonl", "a-1.jsonl\n", "ä-1.jsonl"]
    )
    def test_odd_names_are_no_files_of_ours(self, name: str) -> None:
        """Only `WRITER-N.jsonl` is read."""
        assert parse_file_name(name) is None
        assert parse_file_name("a-b-12.jsonl") == ("a-b", 12)
