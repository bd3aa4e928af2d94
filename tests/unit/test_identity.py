"""A file or topic that took the name of another is not read from the other's position."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from monitor.topics import EVENTS
from monitor.transport.base import Notice, Poll, RecognisingSource, Record, Source, Stream
from monitor.transport.file.reader import FileSource
from monitor.transport.logdir.file_identity import HEAD_BYTES
from monitor.transport.logdir.reader import LogDirSource

A = Stream(EVENTS, "a-1.jsonl")
OLD = b'{"session":"s-1","seq":0,"ts":1}\n' * 3
NEW = b'{"session":"s-2","seq":0,"ts":9}\n' * 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / EVENTS
    folder.mkdir()
    return folder / "a-1.jsonl"


def read(
    source: Source, positions: dict[Stream, int], identities: dict[Stream, str]
) -> tuple[list[Record], list[Notice], Poll]:
    """What a source brings that goes on at a position, and its last poll."""
    assert isinstance(source, RecognisingSource)
    records: list[Record] = []
    notices: list[Notice] = []
    for _ in range(8):
        source.recognise(identities)
        source.resume(positions)
        poll = source.poll(0, 100)
        records += poll.records
        notices += poll.notices
    source.close()
    return records, notices, poll


def directory_source(path: Path) -> LogDirSource:
    return LogDirSource(path.parents[1], now_ns=lambda: 10**18, sleep=lambda seconds: None)


def remembered(source: Source, stream: Stream) -> tuple[dict[Stream, int], dict[Stream, str]]:
    _, _, poll = read(source, {}, {})
    known = poll.frontiers[stream]
    assert known.identity is not None and known.next_offset is not None
    return {stream: known.next_offset}, {stream: known.identity}


@pytest.mark.parametrize("more", [b"", b'{"n":1}\n'])
def test_a_file_replaced_while_nobody_looked_is_read_from_its_start(
    path: Path, more: bytes
) -> None:
    """Also where it is just as long, and a line begins where the old one had been read to."""
    path.write_bytes(OLD)
    positions, identities = remembered(directory_source(path), A)
    path.write_bytes(NEW + more)
    assert len(OLD) == len(NEW)
    records, notices, _ = read(directory_source(path), positions, identities)
    assert [record.origin.offset for record in records][:3] == [0, 33, 66]
    assert [notice.kind for notice in notices] == ["replaced"]


def test_a_file_that_grew_or_was_copied_is_the_same(path: Path) -> None:
    """Neither its length nor its inode is what it is known by."""
    path.write_bytes(OLD)
    positions, identities = remembered(directory_source(path), A)
    path.with_suffix(".new").write_bytes(OLD + NEW)
    path.with_suffix(".new").replace(path)
    records, notices, poll = read(directory_source(path), positions, identities)
    assert [record.origin.offset for record in records] == [99, 132, 165]
    assert notices == [] and poll.frontiers[A].identity != identities[A]


def test_a_long_beginning_is_known_once_and_for_all(path: Path) -> None:
    path.write_bytes(OLD * 30)
    source = directory_source(path)
    positions, identities = remembered(source, A)
    assert identities[A].startswith(f"{HEAD_BYTES}:")
    path.write_bytes(OLD * 30 + NEW)
    records, notices, poll = read(directory_source(path), positions, identities)
    assert len(records) == 3 and notices == []
    assert poll.frontiers[A].identity == identities[A]


@pytest.mark.parametrize("identity", ["inode-3", "", "99999:x", "5:" + "0" * 31])
def test_an_identity_that_is_none_of_ours_tells_nothing(path: Path, identity: str) -> None:
    """A store of an earlier version has none: the position holds, as before."""
    path.write_bytes(OLD)
    records, notices, _ = read(directory_source(path), {A: 33}, {A: identity})
    assert [record.origin.offset for record in records] == [33, 66] and notices == []


@pytest.mark.parametrize("name", ["one.jsonl", "one.jsonl.gz"])
def test_a_finished_file_that_is_another_one_is_read_whole(tmp_path: Path, name: str) -> None:
    """With a state directory, a second recording under one name was passed over in silence."""
    path = tmp_path / name
    write = gzip.compress if name.endswith(".gz") else bytes
    stream = Stream("file", str(path))
    path.write_bytes(write(OLD))
    positions, identities = remembered(FileSource(str(path)), stream)
    path.write_bytes(write(OLD + NEW))
    records, notices, _ = read(FileSource(str(path)), positions, identities)
    assert [record.origin.offset for record in records] == [99, 132, 165] and notices == []
    path.write_bytes(write(NEW + OLD))
    records, notices, _ = read(FileSource(str(path)), positions, identities)
    assert [record.origin.offset for record in records] == [0, 33, 66, 99, 132, 165]
    assert [notice.kind for notice in notices] == ["replaced"]
