"""Recorded events leave by the client's own way, unchanged; what is no event is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock import Client, ClientOptions, SettingError

EVENT = b'{"session":"s-1","seq":7,"ts":5,"kind":"tool.requested","tool":"t","args":{"a":1e2}}'


def lines(directory: Path) -> list[bytes]:
    files = sorted((directory / "agent.events").glob("*.jsonl"))
    return [line for file in files for line in file.read_bytes().splitlines()]


def test_bytes_are_published_unchanged(tmp_path: Path) -> None:
    """Numbers, order of keys, session, seq and ts stay as they were recorded."""
    with Client(f"log:{tmp_path}", ClientOptions(control=False)) as client:
        client.publish_recorded(EVENT)
        client.publish_recorded({"session": "s-1", "id": "x", "ts": 6, "kind": "file.read"})
        assert client.flush(10)
        assert client.stats().published == 2
    assert lines(tmp_path)[0] == EVENT
    assert b'"id":"x"' in lines(tmp_path)[1]


@pytest.mark.parametrize(
    "event",
    [
        b"not json",
        b"[]",
        b"\xff",
        b'{"session":"s-1","ts":5,"kind":"file.read"}',
        b'{"seq":1,"ts":5,"kind":"file.read"}',
        b'{"session":"../x","seq":1,"ts":5,"kind":"file.read"}',
        b'{"session":"s-1","seq":1,"ts":5,"kind":""}',
        b'{"session":"s-1","seq":1,"kind":"file.read","text":"' + b"x" * 1_000_000 + b'"}',
        b'{"session":"s-1","seq":1,"ts":5,"kind":"k","args":{"a":[' + b"1e308," * 1_009 + b"1]}}",
        {"session": "s-1", "seq": 1, "kind": "file.read", "args": object()},
        {"session": "s-1", "seq": 1, "ts": 5, "kind": "File.Read"},
    ],
)
def test_what_is_no_event_is_refused(tmp_path: Path, event: bytes | dict[str, object]) -> None:
    """Before anything is queued; the message repeats nothing of it."""
    with Client(f"log:{tmp_path}", ClientOptions(control=False)) as client:
        with pytest.raises(SettingError):
            client.publish_recorded(event)
        assert client.stats().waiting_events == 0
