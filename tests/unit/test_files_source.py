"""Finished files and pipes: every line once, bounded memory, damage told, positions honoured."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.transport.base import Notice, Record, Stream
from monitor.transport.file.reader import FILE_TOPIC, FileSource
from monitor.transport.logdir.layout import LINE_BYTES_MAX

LINES = [b'{"n":1}', '{"n":"ü"}'.encode(), b"\xff\x00"]


def read_all(
    source: FileSource, positions: dict[Stream, int] | None = None, records_max: int = 2
) -> tuple[list[Record], list[Notice]]:
    """As the loop does: resume, poll until finished, resume again when something was gained."""
    records: list[Record] = []
    notices: list[Notice] = []
    source.resume(positions or {})
    while True:
        poll = source.poll(0, records_max)
        assert len(poll.records) <= records_max
        records += poll.records
        notices += poll.notices
        if poll.gained:
            assert not poll.records
            source.resume(positions or {})
        if poll.is_finished:
            source.close()
            source.close()
            return records, notices


def written(path: Path, data: bytes) -> str:
    path.write_bytes(gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)
    return str(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_every_line_comes_once_with_its_offset(tmp_path: Path, name: str, end: bytes) -> None:
    """Blank lines are none, the last line counts without a newline, nobody vouches for a time."""
    path = written(tmp_path / name, LINES[0] + b"\n\n" + b"\n".join(LINES[1:]) + end)
    records, notices = read_all(FileSource(path))
    assert [r.value for r in records] == LINES
    assert [r.origin.offset for r in records] == [0, 9, 20]
    assert {(r.origin.topic, r.origin.partition) for r in records} == {(FILE_TOPIC, path)}
    assert {r.arrival_ns for r in records} == {None}
    assert notices == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_reading_goes_on_at_the_stores_position(tmp_path: Path, name: str) -> None:
    """Offsets are bytes of the unpacked text."""
    path = written(tmp_path / name, b"one\ntwo\nthree\n")
    records, _ = read_all(FileSource(path), {Stream(FILE_TOPIC, path): 4})
    assert [(r.origin.offset, r.value) for r in records] == [(4, b"two"), (8, b"three")]


def test_a_position_beyond_the_file_is_told(tmp_path: Path) -> None:
    """A file that became shorter than the store remembers is loud."""
    path = written(tmp_path / "a.jsonl", b"one\n")
    records, notices = read_all(FileSource(path), {Stream(FILE_TOPIC, path): 40})
    assert (records, [n.kind for n in notices]) == ([], ["truncated"])


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
@pytest.mark.parametrize("extra", [-1, 0, 1, 2, 3_000_000])
def test_a_line_beyond_the_limit_is_cut_and_passed(tmp_path: Path, name: str, extra: int) -> None:
    """A longer line comes as one byte more than is allowed; the next one is whole."""
    long = b"x" * (LINE_BYTES_MAX + extra)
    path = written(tmp_path / name, b"a\n" + long + b"\nz\n")
    records, _ = read_all(FileSource(path))
    assert [r.value for r in records] == [b"a", long[: LINE_BYTES_MAX + 1], b"z"]
    assert records[2].origin.offset == 2 + len(long) + 1


def test_a_cut_packed_file_is_told(tmp_path: Path) -> None:
    """All that can be unpacked is read; that the rest is missing is said."""
    path = tmp_path / "a.jsonl.gz"
    lines = b"".join(b'{"n":"%s"}\n' % os.urandom(8).hex().encode() for _ in range(20_000))
    path.write_bytes(gzip.compress(lines, mtime=0)[:-5_000])
    records, notices = read_all(FileSource(str(path)), records_max=1_000)
    assert 0 < len(records) < 20_000
    assert b"\n".join(r.value for r in records) == lines[: records[-1].origin.offset + 24]
    assert [n.kind for n in notices] == ["unreadable"]


@pytest.mark.parametrize(
    "data", [b"no gzip at all", gzip.compress(b"x" * 99, mtime=0)[:20] + b"\xff" * 50]
)
def test_a_damaged_packed_file_is_told(tmp_path: Path, data: bytes) -> None:
    """Damage ends the file with a notice, and never with an exception."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data)
    records, notices = read_all(FileSource(str(path)))
    assert (records, [n.kind for n in notices]) == ([], ["unreadable"])


def test_progress_reaches_the_whole(tmp_path: Path) -> None:
    """What was read is counted as the file lies on the disk."""
    path = written(tmp_path / "a.jsonl", b"one\n" * 1000)
    source = FileSource(path)
    assert (source.progress().read_bytes, source.progress().total_bytes) == (0, 4000)
    read_all(source, records_max=100)
    assert source.progress().read_bytes == 4000


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is a fault of the setting."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        FileSource(str(tmp_path / "a.jsonl"))


def test_an_empty_file_is_finished(tmp_path: Path) -> None:
    """No line, no record, and an end all the same."""
    assert read_all(FileSource(written(tmp_path / "a.jsonl", b""))) == ([], [])


class TestPipe:
    """Standard input: each line when it is there, and no waiting for more."""

    def test_lines_come_as_they_are_written(self) -> None:
        """A live pipe gives what it has, then nothing, then its end."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stdin:
            source = FileSource("-", stdin=stdin)
            source.resume({})
            assert source.poll(0, 10).gained == (Stream(FILE_TOPIC, "-"),)
            # Positions do not apply: this is another stream than the last run's.
            source.resume({Stream(FILE_TOPIC, "-"): 4})
            os.write(writing, b"one\ntwo\nthr")
            got: list[bytes] = []
            for _ in range(4):
                got += [record.value for record in source.poll(0, 10).records]
            assert got == [b"one", b"two"]
            assert not source.poll(0, 10).is_finished
            os.write(writing, b"ee\nlast")
            os.close(writing)
            is_finished = False
            while not is_finished:
                poll = source.poll(0, 10)
                got += [record.value for record in poll.records]
                is_finished = poll.is_finished
            assert got == [b"one", b"two", b"three", b"last"]
            assert source.progress().read_bytes == 18
            assert source.progress().total_bytes is None
            source.close()
