"""One-line ways to compile an expression, to make an event, and to evaluate one at the other."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from invariants.cel.checked import check_expression
from invariants.cel.compile import Expression, compile_expression
from invariants.model.errors import Fault, Place, SpecError
from invariants.model.event import Event, EventRecord, Origin
from invariants.model.source_text import SourceText
from invariants.taint.event_view import EventView
from invariants.values.value import CelError
from monitor.ingest.standing import read_standing

KEY = b"a key of tests"
TIME_NS = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z, a Tuesday.


def make_view(*, principal: str = "", time_ns: int = TIME_NS, **fields: Any) -> EventView:
    """An event of kind `tool.requested` unless said otherwise; JSON parts are given as values."""
    content = {"session": "s-1", "ts": 1, "kind": "tool.requested"} | fields
    return raw_view(json.dumps(content).encode(), principal=principal, time_ns=time_ns)


def raw_view(content: bytes, *, principal: str = "", time_ns: int = TIME_NS) -> EventView:
    """An event as its bytes have it."""
    record = msgspec.json.decode(content, type=EventRecord)
    origin = Origin("agent.events", "0", 0)
    standing = read_standing(record.standing) if memoryview(record.standing) else None
    event = Event(record, "e-1", 1, b"", origin, None, principal, time_ns, standing=standing)
    return EventView(event)


def compiled(text: str, **lists: tuple[Any, ...]) -> Expression:
    """An expression that begins at the start of a file."""
    expression, faults = check_expression(SourceText(text, Place()), file="a.yaml", lists=lists)
    if expression is None:
        raise SpecError(faults)
    kept = {name: list(elements) for name, elements in lists.items()}
    return compile_expression(expression, lists=kept, digest_key=KEY)


def evaluate(text: str, **fields: Any) -> Any:
    """The value of an expression at an event with these fields."""
    return compiled(text).evaluate(make_view(**fields))


def fails(text: str, **fields: Any) -> bool:
    """Whether an expression has no value at an event with these fields."""
    return isinstance(evaluate(text, **fields), CelError)


def faults(text: str, **lists: tuple[Any, ...]) -> list[Fault]:
    """All faults and warnings of an expression, in order of place."""
    met = check_expression(SourceText(text, Place()), file="a.yaml", lists=lists)[1]
    return sorted(met, key=lambda fault: fault.place)


def codes(text: str, **lists: tuple[Any, ...]) -> list[str]:
    """The codes of all its faults and warnings."""
    return [fault.code for fault in faults(text, **lists)]
