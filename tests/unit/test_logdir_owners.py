"""Bounds are an owner's: one user's files cost, hide and silence nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ingest.watermark import JudgedUpTo, Watch
from monitor.topics import EVENTS
from monitor.transport.base import Poll, Stream
from monitor.transport.logdir import tail as log_tail
from monitor.transport.logdir.reader import LogDirSource
from monitor.transport.logdir.tail import TOLD_MAX
from tests.unit.test_logdir_flood import Clock

EVE, BOB = 1001, 1002


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The topic's folder; a file whose name begins with `eve` is Eve's, others are Bob's.

    Only root may give files away, so the owner is put into what the directory says of them.
    """
    listed = log_tail.entries

    def entries(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
        for name, status in listed(directory):
            fields = list(status)
            fields[4] = EVE if name.startswith("eve") else BOB
            times = {"st_mtime_ns": status.st_mtime_ns}
            yield name, os.stat_result(fields, times)

    monkeypatch.setattr(log_tail, "entries", entries)
    folder = tmp_path / EVENTS
    folder.mkdir()
    return folder


class Rig:
    """A source, and what may be vouched for of it."""

    def __init__(self, directory: Path, files_max: int = 3) -> None:
        self.clock, self.watch = Clock(), Watch()
        self.source = LogDirSource(
            directory, now_ns=self.clock, sleep=lambda seconds: None, files_max=files_max
        )
        self.source.resume({})
        self.told: list[str] = []

    def poll(self, records_max: int = 1_000) -> Poll:
        begin_ns = self.clock.now_ns
        poll = self.source.poll(0, records_max)
        if poll.gained:
            self.source.resume({})
        self.told += [str(notice) for notice in poll.notices]
        self.watch.look(poll, begin_ns)
        return poll

    def judged(self) -> JudgedUpTo:
        judged = self.watch.judged({})
        assert judged is not None
        return judged


def test_a_thousand_empty_files_of_one_hide_nobody(tmp_path: Path, events: Path) -> None:
    """Beyond Eve's bound her files wait, and are told; Bob's file is found and read."""
    for number in range(20):
        (events / f"eve{number:03}-1.jsonl").write_bytes(b"")
    rig = Rig(tmp_path)
    rig.poll()
    (events / "bob-1.jsonl").write_bytes(b"{}\n")
    rig.poll()
    assert [record.origin.partition for record in rig.poll().records] == ["bob-1.jsonl"]
    assert len([text for text in rig.told if "refused" in text]) == 17


def test_what_is_not_read_holds_back_its_owner_alone(tmp_path: Path, events: Path) -> None:
    """Eve's link, or her name that is none, makes Eve's guards refuse, and nobody else's."""
    rig = Rig(tmp_path)
    for _ in range(2):
        rig.poll()
    before_ns = rig.clock.now_ns
    (events / "eve-1.jsonl").symlink_to("/etc/hostname")
    for _ in range(3):
        rig.clock.now_ns += 10**9
        rig.poll()
    judged = rig.judged()
    assert set(judged.behind) == {f"{EVENTS}/{EVE}"}
    assert judged.behind[f"{EVENTS}/{EVE}"] <= before_ns < judged.time_ns
    (events / "eve-1.jsonl").unlink()
    rig.poll()
    assert rig.judged().behind == {}


def test_a_flood_of_one_leaves_another_his_share(tmp_path: Path, events: Path) -> None:
    """However many files Eve fills, half of what is read is Bob's while he has something."""
    for number in range(30):
        (events / f"eve{number}-1.jsonl").write_bytes(b"{}\n" * 50)
    (events / "bob-1.jsonl").write_bytes(b"{}\n" * 50)
    rig = Rig(tmp_path, files_max=100)
    rig.poll(1)
    for _ in range(3):
        streams = [record.stream for record in rig.poll(20).records]
        assert streams.count(Stream(EVENTS, "bob-1.jsonl")) >= 10


def test_a_writer_of_another_owner_blocks_nobody(tmp_path: Path, events: Path) -> None:
    """Files of one writer wait for each other; a name that Eve took over is not that writer."""
    (events / "w-1.jsonl").write_bytes(b"{}\n")
    listed = log_tail.entries

    def entries(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
        for name, status in listed(directory):
            fields = list(status)
            fields[4] = EVE if name == "w-0.jsonl" else BOB
            yield name, os.stat_result(fields, {"st_mtime_ns": status.st_mtime_ns})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_tail, "entries", entries)
        with (events / "w-0.jsonl").open("wb") as file:
            file.truncate(10**12)
        rig = Rig(tmp_path)
        found = [record.stream for _ in range(3) for record in rig.poll().records]
    assert found == [Stream(EVENTS, "w-1.jsonl")]


def test_one_owners_notices_leave_room_for_anothers(tmp_path: Path, events: Path) -> None:
    """A flood of names is told of up to a bound, and Bob's one link is told all the same."""
    for number in range(TOLD_MAX + 50):
        (events / f"eve {number}.jsonl").write_bytes(b"")
    rig = Rig(tmp_path)
    rig.poll()
    (events / "bob-1.jsonl").symlink_to("/etc/hostname")
    rig.poll()
    assert len(rig.told) == TOLD_MAX + 1
    assert "bob-1.jsonl" in rig.told[-1]


def test_files_that_went_while_nobody_looked_are_told(tmp_path: Path, events: Path) -> None:
    """Retention that passed is a notice, also of events without numbers, and only once."""
    (events / "bob-2.jsonl").write_bytes(b"{}\n")
    rig = Rig(tmp_path)
    gone = {Stream(EVENTS, f"bob-{number}.jsonl"): 3 * number for number in (1, 3)}
    rig.source.resume(
        {**gone, Stream(EVENTS, "bob-2.jsonl"): 3, Stream("interlock.control", "x"): 1}
    )
    poll = rig.poll()
    assert set(poll.gone) == gone.keys()
    rig.source.resume(gone)
    assert rig.poll().gone == ()
    assert len(rig.told) == 1
    assert "2 file(s) that were read have been removed since the last run" in rig.told[0]
