"""Writes control records into a log directory, as a monitor or an operator would."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from interlock.control_record import ControlState


class ControlWriter:
    """`put` says something of a key; `beat` is the monitor's sign of life."""

    def __init__(self, directory: Path, writer: str = "monitor") -> None:
        self._path = directory / "interlock.control" / f"{writer}-0.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, state: ControlState = "active", **fields: object) -> None:
        value = {"state": state, "issued_at": time.time_ns(), **fields}
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode({"key": key, "value": value}) + b"\n")

    def beat(self, judged_to_ns: int | None = None) -> None:
        """By default everything until now was judged."""
        self.put("heartbeat", issued_at=time.time_ns() if judged_to_ns is None else judged_to_ns)


def published(directory: Path) -> list[dict[str, object]]:
    """Every event in the log directory, those of one writer in order."""
    events: list[dict[str, object]] = []
    for path in sorted((directory / "agent.events").glob("*.jsonl")):
        events += [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return events
