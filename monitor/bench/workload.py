"""The events of `interlock bench engine`: fixed bytes, 331 each, the same in every run."""

from __future__ import annotations

from typing import Final

import msgspec

EVENT_BYTES: Final = 331
SESSIONS_COUNT: Final = 40

_SHAPES: Final = (
    ("message.user", "", 2),
    ("message.assistant", "", 10),
    ("heartbeat", "", 6),
    ("tool.requested", "http.post", 7),
    ("tool.requested", "vault.read", 3),
    ("tool.requested", "shell.run", 4),
    ("tool.requested", "db.delete", 3),
    ("tool.requested", "db.query", 8),
    ("tool.requested", "pay", 3),
    ("tool.requested", "search", 12),
    ("tool.completed", "http.post", 6),
    ("tool.completed", "vault.read", 2),
    ("tool.completed", "db.query", 7),
    ("tool.completed", "pay", 2),
    ("tool.completed", "search", 12),
    ("tool.failed", "shell.run", 3),
    ("tool.failed", "search", 2),
    ("approval.granted", "db.delete", 2),
    ("file.read", "", 6),
)


def make_events(count: int) -> list[bytes]:
    """`count` records: sessions take turns, kinds come in a fixed order of fixed shares."""
    order = [shape for shape in _SHAPES for _ in range(shape[2])]
    events: list[bytes] = []
    for number in range(count):
        session, seq = number % SESSIONS_COUNT, number // SESSIONS_COUNT
        kind, tool, _ = order[(number * 37 + session * 11) % len(order)]
        events.append(_event(kind, tool, session, seq))
    return events


def _event(kind: str, tool: str, session: int, seq: int) -> bytes:
    content: dict[str, object] = {
        "session": f"bench-{session:04d}",
        "seq": seq,
        "ts": 1_767_225_600_000_000_000 + seq * 250_000_000,
        "kind": kind,
        "agent": "bench",
    }
    if tool:
        host = "api.corp.example" if seq % 3 else "outside.example"
        content |= {"tool": tool, "call": f"{tool}-{session}-{seq // 60}"}
        content["args"] = {"url": f"https://{host}/v1/items", "number": seq}
    content["attributes"] = {"note": ""}
    missing = EVENT_BYTES - len(msgspec.json.encode(content))
    content["attributes"] = {"note": "x" * missing}
    return msgspec.json.encode(content)
