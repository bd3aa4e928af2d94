"""Targets, and files of a log directory under trouble."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from interlock.errors import SettingError
from interlock.transport.base import Message, Undelivered
from interlock.transport.logdir import LogTransport, new_writer_name
from interlock.transport.target import (
    CONTROL_TOPIC,
    EVENTS_TOPIC,
    KafkaTarget,
    LogTarget,
    parse_target,
    principal_of,
)
from monitor import topics
from monitor.transport.logdir.layout import parse_file_name


def messages(*texts: str) -> list[Message]:
    return [Message("s", text.encode()) for text in texts]


def lines_in(directory: Path) -> list[str]:
    files = sorted(directory.iterdir(), key=lambda p: int(p.stem.rpartition("-")[2]))
    return "".join(path.read_text() for path in files).splitlines()


def test_targets_are_read_as_written() -> None:
    """Brokers and topic, or a directory; the topic's name may be the sender's identity."""
    assert parse_target("kafka://b:9092") == KafkaTarget("b:9092", "agent.events")
    named = parse_target("kafka://b:1,[::1]:2/agent.events.billing")
    assert named == KafkaTarget("b:1,[::1]:2", "agent.events.billing")
    assert principal_of(named) == "billing"
    assert parse_target("log:/x/y") == LogTarget(Path("/x/y"))
    assert principal_of(LogTarget(Path("/x"))) == ""


@pytest.mark.parametrize(
    "text",
    ["", "log:", "log:\0", "/tmp", "kafka://", "kafka://b", "kafka://b:1/other", "kafka:b:1",
     "kafka://b:1/agent.events.", "kafka://b:1/agent.events/x", "kafka://u:hunter2@b:1"],
)  # fmt: skip
def test_other_targets_are_refused_without_repeating_them(text: str) -> None:
    """An address may hold a password, so no message shows it."""
    with pytest.raises(SettingError) as refused:
        parse_target(text)
    assert "hunter2" not in str(refused.value)


def test_kafka_is_an_extra_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package an address is refused at once, and not counted by a thread later."""
    monkeypatch.setitem(sys.modules, "kafka", None)
    with pytest.raises(SettingError, match=r"pip install 'interlock-client\[kafka\]'"):
        parse_target("kafka://b:9092")
    assert parse_target("log:/x") == LogTarget(Path("/x"))


def test_a_batch_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers see all of a batch or a beginning of it, never other writers' lines within."""
    writes: list[bytes] = []
    real_write = os.write

    def counted(descriptor: int, data: bytes) -> int:
        writes.append(data)
        return real_write(descriptor, data)

    monkeypatch.setattr(os, "write", counted)
    transport = LogTransport(tmp_path, "w")
    transport.send(messages("1", "2", "3"))
    transport.close()
    transport.close()
    assert writes == [b"1\n2\n3\n"]
    assert lines_in(tmp_path) == ["1", "2", "3"]


def test_files_are_rotated_by_size(tmp_path: Path) -> None:
    """A full file is left alone and the next number begun."""
    transport = LogTransport(tmp_path, "w", file_bytes_max=4)
    for text in ("1", "2", "3"):
        transport.send(messages(text))
    transport.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w-1.jsonl", "w-2.jsonl"]
    assert lines_in(tmp_path) == ["1", "2", "3"]


@pytest.mark.parametrize("room", range(13))
def test_a_full_disk_tears_no_line_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """What is said to be undelivered, sent again, completes the file: every line once, whole."""
    real_write = os.write
    left = [room]

    def short_write(descriptor: int, data: bytes) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real_write(descriptor, data[: left[0]])
        left[0] -= count
        return count

    batch = messages("one", "two", "six")
    transport = LogTransport(tmp_path, "w")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short_write)
        if room < 12:
            with pytest.raises(Undelivered) as trouble:
                transport.send(batch)
            batch = [batch[position] for position in trouble.value.retry]
        else:
            transport.send(batch)
            batch = []
    transport.send([*batch, *messages("end")])
    transport.close()
    assert lines_in(tmp_path) == ["one", "two", "six", "end"]


def test_links_and_pipes_are_not_written_to(tmp_path: Path) -> None:
    """A planted link, pipe or linked directory delivers nothing and changes nothing."""
    (tmp_path / "secret").write_text("keep")
    topic = tmp_path / "topic"
    topic.mkdir()
    (topic / "w-1.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(Undelivered):
        LogTransport(topic, "w").send(messages("x"))
    os.mkfifo(topic / "p-1.jsonl")
    with pytest.raises(Undelivered):
        LogTransport(topic, "p").send(messages("x"))
    (tmp_path / "linked").symlink_to(topic)
    with pytest.raises(Undelivered):
        LogTransport(tmp_path / "linked", "v").send(messages("x"))
    assert (tmp_path / "secret").read_text() == "keep"


def test_a_deleted_file_is_not_written_on(tmp_path: Path) -> None:
    """What went to a file without a name, nobody would read."""
    transport = LogTransport(tmp_path, "w")
    transport.send(messages("1"))
    (tmp_path / "w-1.jsonl").unlink()
    transport.send(messages("2"))
    transport.close()
    assert lines_in(tmp_path) == ["2"]


def test_no_two_processes_write_under_one_name() -> None:
    """Names differ even within a process, and hold nothing but what a file name takes."""
    names = {new_writer_name() for _ in range(50)}
    assert len(names) == 50
    assert all(name.replace("-", "").isalnum() for name in names)


def test_client_and_monitor_mean_the_same_topics_and_files() -> None:
    """Both sides write the names down; they must not drift apart."""
    assert (EVENTS_TOPIC, CONTROL_TOPIC) == (topics.EVENTS, topics.CONTROL)
    writer = new_writer_name()
    assert parse_file_name(f"{writer}-1.jsonl") == (writer, 1)
