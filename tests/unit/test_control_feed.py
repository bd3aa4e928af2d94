"""The control topic of a log directory: order between writers, torn lines, links, truncation."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from interlock.control_feed import FeedReading, LogControlFeed
from interlock.control_record import RECORD_BYTES_MAX, ControlRecord, ControlState, ControlView


def line(key: str, state: ControlState, issued_at: int, **fields: object) -> bytes:
    value = {"state": state, "issued_at": issued_at, **fields}
    return msgspec.json.encode({"key": key, "value": value}) + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def feed_of(directory: Path) -> LogControlFeed:
    return LogControlFeed(directory, poll_s=0.01)


def told(reading: FeedReading) -> list[tuple[str, str]]:
    decoded = [
        (e.key, msgspec.json.decode(e.value or b"", type=ControlRecord)) for e in reading.entries
    ]
    return [(key, record.state) for key, record in decoded]


def test_a_topic_that_is_not_there_is_read_to_its_end(tmp_path: Path) -> None:
    """No directory is an empty topic, and one that appears later is read."""
    feed = feed_of(tmp_path / "control")
    assert feed.poll(0) == FeedReading([], is_at_end=True)
    (tmp_path / "control").mkdir()
    append(tmp_path / "control" / "m-0.jsonl", line("session:a", "killed", 1))
    assert told(feed.poll(0)) == [("session:a", "killed")]


def test_every_record_comes_once(tmp_path: Path) -> None:
    """A second poll brings only what was written since."""
    feed = feed_of(tmp_path)
    append(tmp_path / "m-0.jsonl", line("session:a", "killed", 1))
    assert len(feed.poll(0).entries) == 1
    assert len(feed.poll(0).entries) == 0
    append(tmp_path / "m-0.jsonl", line("session:b", "killed", 2))
    assert told(feed.poll(0)) == [("session:b", "killed")]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_waited_for(tmp_path: Path, cut: int) -> None:
    """A line counts when its end is there, wherever it was torn."""
    feed = feed_of(tmp_path)
    whole = line("session:a", "killed", 1)
    append(tmp_path / "m-0.jsonl", whole[:cut])
    assert feed.poll(0).entries == []
    append(tmp_path / "m-0.jsonl", whole[cut:])
    reading = feed.poll(0)
    assert told(reading) == [("session:a", "killed")]
    assert reading.unreadable_count == 0


@pytest.mark.parametrize("names", [("a-0", "b-0"), ("b-0", "a-0")])
def test_between_writers_the_later_issue_holds(tmp_path: Path, names: tuple[str, str]) -> None:
    """Whatever the files are called, and whether read together or one after the other."""
    early, late = names
    append(tmp_path / f"{late}.jsonl", line("session:a", "active", 20))
    append(tmp_path / f"{early}.jsonl", line("session:a", "killed", 10))
    together = feed_of(tmp_path).poll(0)
    assert told(together)[-1] == ("session:a", "active")
    feed = feed_of(tmp_path / "second")
    (tmp_path / "second").mkdir()
    append(tmp_path / "second" / f"{late}.jsonl", line("session:a", "active", 20))
    feed.poll(0)
    append(tmp_path / "second" / f"{early}.jsonl", line("session:a", "killed", 10))
    assert feed.poll(0).entries == []


def test_at_equal_times_the_more_severe_holds(tmp_path: Path) -> None:
    """A tie between writers never releases."""
    append(tmp_path / "z-0.jsonl", line("session:a", "active", 10))
    append(tmp_path / "a-0.jsonl", line("session:a", "killed", 10))
    assert told(feed_of(tmp_path).poll(0))[-1] == ("session:a", "killed")


def test_within_a_writer_the_order_of_writing_holds(tmp_path: Path) -> None:
    """A clock that went back does not undo what its owner wrote later, across rotation too."""
    append(tmp_path / "m-9.jsonl", line("session:a", "active", 50))
    append(tmp_path / "m-10.jsonl", line("session:a", "killed", 40))
    assert told(feed_of(tmp_path).poll(0))[-1] == ("session:a", "killed")


@pytest.mark.parametrize("is_together", [True, False])
@pytest.mark.parametrize("states", [("killed", "active"), ("active", "killed")])
def test_a_writer_whose_clock_went_back_is_obeyed(
    tmp_path: Path, states: tuple[ControlState, ControlState], is_together: bool
) -> None:
    """The release that an operator wrote last releases, whatever the clock said."""
    feed = feed_of(tmp_path)
    append(tmp_path / "m-0.jsonl", line("session:a", states[0], 50))
    if not is_together:
        feed.poll(0)
    append(tmp_path / "m-0.jsonl", line("session:a", states[1], 40))
    assert told(feed.poll(0))[-1] == ("session:a", states[1])


def test_a_writer_whose_clock_went_back_overrides_no_other(tmp_path: Path) -> None:
    """Its late release counts as given at its newest time, and a tie never releases."""
    feed = feed_of(tmp_path)
    append(tmp_path / "a-0.jsonl", line("session:a", "active", 50))
    append(tmp_path / "b-0.jsonl", line("session:a", "killed", 50))
    assert told(feed.poll(0))[-1] == ("session:a", "killed")
    append(tmp_path / "a-0.jsonl", line("session:a", "active", 40))
    assert feed.poll(0).entries == []


def test_a_release_from_the_future_outranks_no_kill(tmp_path: Path) -> None:
    """A machine whose clock is an hour ahead releases nobody in advance; its kills hold at once."""
    hour_ns = 3_600 * 10**9
    feed = LogControlFeed(tmp_path, poll_s=0.01, wall_ns=lambda: hour_ns)
    append(tmp_path / "z-0.jsonl", line("session:a", "active", 2 * hour_ns))
    append(tmp_path / "z-0.jsonl", line("session:b", "killed", 2 * hour_ns))
    append(tmp_path / "m-0.jsonl", line("session:a", "killed", hour_ns))
    append(tmp_path / "m-0.jsonl", line("heartbeat", "active", 2 * hour_ns))
    reading = feed.poll(0)
    assert sorted(told(reading)) == [
        ("heartbeat", "active"), ("session:a", "killed"), ("session:b", "killed"),
    ]  # fmt: skip
    assert reading.unreadable_count == 1
    append(tmp_path / "z-0.jsonl", line("session:a", "active", hour_ns + 1))
    assert told(feed.poll(0)) == [("session:a", "active")]
    append(tmp_path / "m-0.jsonl", line("session:a", "killed", hour_ns + 2))
    assert told(feed.poll(0)) == [("session:a", "killed")]


def test_who_is_retired_is_so_by_time_and_not_in_advance(tmp_path: Path) -> None:
    """A later heartbeat counts again, and none is outranked before it is written."""
    hour_ns = 3_600 * 10**9
    feed = LogControlFeed(tmp_path, poll_s=0.01, wall_ns=lambda: hour_ns)
    key = "heartbeat:issuer:a"
    append(tmp_path / "m-0.jsonl", line(key, "active", hour_ns - 9))
    append(tmp_path / "z-0.jsonl", line(key, "active", 2 * hour_ns, retired=True))
    reading = feed.poll(0)
    assert [entry.key for entry in reading.entries] == [key] and reading.unreadable_count == 1
    append(tmp_path / "z-0.jsonl", line(key, "active", hour_ns, retired=True))
    (retired,) = feed.poll(0).entries
    assert retired.value is not None and b'"retired":true' in retired.value
    append(tmp_path / "m-0.jsonl", line(key, "active", hour_ns + 1))
    (again,) = feed.poll(0).entries
    assert again.value is not None and b"retired" not in again.value


def test_a_file_that_is_written_anew_releases_nobody(tmp_path: Path) -> None:
    """While a copy of it grows back, its older records do not hold against what is known."""
    feed = feed_of(tmp_path)
    path = tmp_path / "m-0.jsonl"
    append(path, line("session:a", "active", 10) + line("session:a", "killed", 20))
    assert told(feed.poll(0))[-1] == ("session:a", "killed")
    path.write_bytes(line("session:a", "active", 10))
    assert feed.poll(0).entries == []


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    """A link to a readable file, a pipe and a foreign name bring nothing and hold nothing up."""
    (tmp_path / "control").mkdir()
    append(tmp_path / "outside", line("session:a", "killed", 1))
    (tmp_path / "control" / "m-0.jsonl").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "control" / "p-0.jsonl")
    append(tmp_path / "control" / "notes.txt", line("session:a", "killed", 1))
    assert feed_of(tmp_path / "control").poll(0) == FeedReading([], is_at_end=True)
    (tmp_path / "linked").symlink_to(tmp_path / "control")
    with pytest.raises(OSError, match="symbolic link"):
        feed_of(tmp_path / "linked").poll(0)


def test_garbage_is_counted_and_stepped_over(tmp_path: Path) -> None:
    """Unreadable lines change nothing around them; tombstones are no garbage."""
    garbage = b'{"key":1}\nnonsense\n\xff\xfe\n{"key":"session:a","value":null}\n\n'
    append(tmp_path / "m-0.jsonl", garbage + line("session:a", "killed", 1))
    reading = feed_of(tmp_path).poll(0)
    assert told(reading) == [("session:a", "killed")]
    assert reading.unreadable_count == 3


def test_a_line_without_end_fills_no_memory(tmp_path: Path) -> None:
    """Past the limit its beginning is dropped, and the next line is read again."""
    feed = feed_of(tmp_path)
    append(tmp_path / "m-0.jsonl", b"x" * (RECORD_BYTES_MAX + 1))
    feed.poll(0)
    held = feed._files["m-0.jsonl"].tail
    assert len(held) == 0
    append(tmp_path / "m-0.jsonl", b"y" * 10 + b"\n" + line("session:a", "killed", 1))
    reading = feed.poll(0)
    assert told(reading) == [("session:a", "killed")]
    assert reading.unreadable_count == 1


def test_what_was_known_survives_files_that_vanish(tmp_path: Path) -> None:
    """A file deleted, truncated or replaced forgets nothing; what stands there now is read."""
    feed, view = feed_of(tmp_path), ControlView()
    path = tmp_path / "m-0.jsonl"

    def follow() -> str:
        for entry in feed.poll(0).entries:
            view.apply(entry.key, entry.value)
        return view.standing(["session:a"], 0)[0]

    append(path, line("session:a", "killed", 10))
    assert follow() == "killed"
    path.unlink()
    assert follow() == "killed"
    append(path, line("session:b", "killed", 11))
    assert follow() == "killed"
    path.write_bytes(b"")
    assert follow() == "killed"
    append(path, line("session:a", "active", 12))
    assert follow() == "active"


def test_an_unreadable_file_holds_back_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble with one file: the others are told, and the topic does not count as read."""
    append(tmp_path / "a-0.jsonl", line("session:a", "killed", 1))
    append(tmp_path / "b-0.jsonl", line("session:b", "killed", 1))
    real_open = os.open

    def failing_open(path: Path, flags: int) -> int:
        if path.name == "a-0.jsonl":
            raise PermissionError
        return real_open(path, flags)

    feed = feed_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing_open)
        reading = feed.poll(0)
    assert told(reading) == [("session:b", "killed")]
    assert not reading.is_at_end
    again = feed.poll(0)
    assert told(again) == [("session:a", "killed")]
    assert again.is_at_end
