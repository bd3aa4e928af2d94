"""The latest records of a log directory, in which attackers may write."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.transport.logdir.latest import Latest, latest_records
from monitor.transport.logdir.layout import LINE_BYTES_MAX

TOPIC = "agent.events"


def latest(folder: Path, count: int = 3, bytes_max: int = 1 << 20) -> Latest:
    return latest_records(str(folder), (TOPIC, "other"), count, bytes_max=bytes_max, found_ns=7)


def events(folder: Path) -> Path:
    (folder / TOPIC).mkdir()
    return folder / TOPIC


def test_the_last_whole_lines_of_each_file(tmp_path: Path) -> None:
    """With their places; a line without an end is not a record yet."""
    folder = events(tmp_path)
    (folder / "a-1.jsonl").write_bytes(b"1\n22\n333\n4444\n55555")
    (folder / "b-1.jsonl").write_bytes(b"x\n")
    (folder / "c-1.jsonl").write_bytes(b"")
    found = latest(tmp_path)
    assert {(r.origin.partition, r.origin.offset, r.value) for r in found.records} == {
        ("a-1.jsonl", 2, b"22"),
        ("a-1.jsonl", 5, b"333"),
        ("a-1.jsonl", 9, b"4444"),
        ("b-1.jsonl", 0, b"x"),
    }
    assert {record.arrival_ns for record in found.records} == {7}
    assert (found.refused_count, found.is_whole) == (0, True)


def test_a_directory_that_is_not_there_has_no_records(tmp_path: Path) -> None:
    assert latest(tmp_path / "x") == Latest([], 0)


def test_only_ordinary_files_are_opened(tmp_path: Path) -> None:
    """A link, a pipe and a folder are refused, and counted."""
    folder = events(tmp_path)
    (folder / "a-1.jsonl").symlink_to("/etc/passwd")
    os.mkfifo(folder / "b-1.jsonl")
    (folder / "c-1.jsonl").mkdir()
    (folder / "no number.jsonl").write_text("x\n")
    assert latest(tmp_path) == Latest([], 4)


def test_only_the_end_of_a_huge_file_is_read(tmp_path: Path) -> None:
    """A terabyte of zeros before the last line; the line before it is too long, and left out."""
    with (events(tmp_path) / "a-1.jsonl").open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast\n")
    (record,) = latest(tmp_path).records
    assert record.value == b"last"


def test_a_bound_on_all_that_is_read(tmp_path: Path) -> None:
    """Beyond it the reading is not whole."""
    folder = events(tmp_path)
    for number in (1, 2):
        (folder / f"a-{number}.jsonl").write_bytes(b"x" * LINE_BYTES_MAX + b"\n")
    found = latest(tmp_path, bytes_max=LINE_BYTES_MAX)
    assert len(found.records) == 1 and not found.is_whole
