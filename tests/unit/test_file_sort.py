"""`--sort`: the order that events say, stable, bounded, and nothing lost."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from invariants.model.errors import ConfigError
from monitor.ingest.file_sort import LineKey, SortedSource, sorted_lines
from monitor.transport.base import Record, Stream
from monitor.transport.file.reader import FILE_TOPIC, FileSource


def line(session: str, seq: int | None, ts: int, kind: str = "x") -> bytes:
    content = {"session": session, "ts": ts, "kind": kind}
    content |= {"id": f"i{ts}"} if seq is None else {"seq": seq}
    return msgspec.json.encode(content)


def read_all(source: SortedSource, records_max: int = 3) -> list[Record]:
    records: list[Record] = []
    while True:
        poll = source.poll(0, records_max)
        assert len(poll.records) <= records_max
        records += poll.records
        if poll.gained:
            source.resume({})
        if poll.is_finished:
            source.close()
            return records


def test_numbers_go_before_times() -> None:
    """An event counts as late as those that its session numbered before it."""
    places = [LineKey("s", 1, 5), LineKey("s", 0, 9), LineKey("t", 0, 7), LineKey("s", None, 8)]
    assert sorted_lines(places) == [2, 3, 1, 0]


def test_equal_times_keep_the_order_of_lines() -> None:
    """Stable, also among several sessions and beside events without a number."""
    places = [LineKey("s", 0, 5), LineKey("t", 0, 5), LineKey("s", None, 5), LineKey("s", 1, 5)]
    assert sorted_lines(places) == [0, 1, 2, 3]


def test_a_time_after_now_moves_nothing(tmp_path: Path) -> None:
    """One event that is stamped 2099 sends the rest of its session behind no approval."""
    path = tmp_path / "a.jsonl"
    lines = [line("s", None, 6, "approved"), line("s", 0, 99), line("s", 1, 5, "paid")]
    path.write_bytes(b"\n".join(lines))
    records = read_all(SortedSource(FileSource(str(path)), lambda: 50))
    kinds = [msgspec.json.decode(record.value)["kind"] for record in records]
    assert kinds == ["x", "paid", "approved"]


def test_what_is_no_event_stays_with_its_neighbour() -> None:
    """A record without a time is not sent to the beginning or to the end."""
    places = [LineKey("s", 1, 9), LineKey("", None, None), LineKey("s", 0, 4)]
    assert sorted_lines(places) == [2, 0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_each_session_is_in_the_order_of_its_numbers(seed: int) -> None:
    """Whatever the times say, and every line comes exactly once."""
    random = Random(seed)
    places = [
        LineKey(random.choice("st"), random.choice((None, *range(9))), random.randrange(9))
        for _ in range(40)
    ]
    order = sorted_lines(places)
    assert sorted(order) == list(range(40))
    for session in "st":
        own = [n for n in order if places[n].session == session]
        numbered = [(places[n].seq, n) for n in own if places[n].seq is not None]
        assert numbered == sorted(numbered)
        free = [(places[n].ts_ns, n) for n in own if places[n].seq is None]
        assert free == sorted(free)


@pytest.mark.parametrize("records_max", [1, 2, 1_000])
def test_a_file_is_given_in_order_with_its_lines(tmp_path: Path, records_max: int) -> None:
    """Offsets and line numbers stay those of the file."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([line("s", 1, 2), b"", line("s", 0, 1), b"{"]))
    source = SortedSource(FileSource(str(path)))
    records = read_all(source, records_max)
    assert [source.line_of(record.origin.offset) for record in records] == [3, 4, 1]
    assert records[0].value == line("s", 0, 1)


def test_standard_input_is_sorted_too() -> None:
    """Lines come when they come; nothing is given before the last."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stdin, os.fdopen(write, "wb") as out:
        source = SortedSource(FileSource("-", stdin=stdin))
        assert source.poll(0, 10).gained
        source.resume({Stream(FILE_TOPIC, "-"): 99})
        out.write(line("s", 1, 2) + b"\n")
        out.flush()
        assert source.poll(0, 10).records == ()
        out.write(line("s", 0, 1))
        out.close()
        records = read_all(source)
    assert [msgspec.json.decode(record.value)["seq"] for record in records] == [0, 1]


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do instead; memory does not grow with it."""
    monkeypatch.setattr("monitor.ingest.file_sort.SORT_BYTES_MAX", 5_000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(line("s", n, n) for n in range(10)))
    with (
        closing(SortedSource(FileSource(str(path)))) as source,
        pytest.raises(
            ConfigError, match=r"this file is too large .* at line 5.*split it by session"
        ),
    ):
        read_all(source)


def test_a_position_in_the_file_is_refused(tmp_path: Path) -> None:
    """Where a sorted file was read to says nothing about its lines."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(line("s", 0, 0))
    with (
        closing(SortedSource(FileSource(str(path)))) as source,
        pytest.raises(ConfigError, match="name another `--state-dir`"),
    ):
        source.resume({Stream(FILE_TOPIC, str(path)): 4})


@pytest.mark.parametrize("name", ["a.jsonl", "-"])
def test_lines_are_numbered(tmp_path: Path, name: str) -> None:
    """From 1, blank lines counted, for a file and for standard input."""
    data = b"a\n\nb\n\n\nc"
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    if name != "-":
        (tmp_path / name).write_bytes(data)
        name = str(tmp_path / name)
    with os.fdopen(read, "rb") as stdin, closing(FileSource(name, stdin=stdin)) as source:
        source.poll(0, 10)
        source.resume({})
        records = source.poll(0, 10).records
        assert [source.line_of(record.origin.offset) for record in records] == [1, 3, 6]
        assert source.line_of(1) is None
