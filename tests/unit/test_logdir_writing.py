"""The log directory as it is written: the publisher, the control topic, the form of a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from monitor.topics import APPROVALS, CONTROL, DEAD_LETTERS, EVENTS
from monitor.transport.logdir.control_reader import LogDirControlReader
from monitor.transport.logdir.layout import from_line, parse_file_name, to_line
from monitor.transport.logdir.writer import LogDirPublisher
from tests.support.log_source import append, drained, opened, values


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
        with pytest.raises(ValueError, match="not a valid name of a writer"):
            LogDirPublisher(tmp_path, writer)


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
        publisher.publish(CONTROL, "session:5", b'{"state":"killed","issued_at":5}')
        assert [key for key, _ in reader.poll(0)] == ["session:5"]
        publisher.close()
        reader.close()

    def test_more_lines_than_one_read_takes_are_all_there(self, tmp_path: Path) -> None:
        """Reading to the end means to the end, rotated files and long lines included."""
        publisher = LogDirPublisher(tmp_path, "w", file_bytes_max=100_000)
        for number in range(3_000):
            publisher.publish(CONTROL, f"k{number}", b'{"state":"killed","issued_at":%d}' % number)
        long = b'{"state":"killed","issued_at":9000,"x":"%s"}' % (b"x" * 2_000_000)
        publisher.publish(CONTROL, "too long", long)
        publisher.publish(CONTROL, "last", b'{"state":"killed","issued_at":9001}')
        publisher.close()
        found = LogDirControlReader(tmp_path).read_to_end(1)
        assert len(found) == 3_001
        assert found[-1] == ("last", b'{"state":"killed","issued_at":9001}')


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


def test_no_record_goes_to_a_file_that_nobody_reads(tmp_path: Path) -> None:
    """Whoever may make files can take the last number there is: then writing fails, loudly."""
    folder = tmp_path / CONTROL
    folder.mkdir()
    (folder / "monitor-999999999.jsonl").touch()
    publisher = LogDirPublisher(tmp_path, "monitor")
    with pytest.raises(OSError, match="no free file name"):
        publisher.publish(CONTROL, "session:s", b"{}")
    assert [path.name for path in folder.iterdir()] == ["monitor-999999999.jsonl"]
