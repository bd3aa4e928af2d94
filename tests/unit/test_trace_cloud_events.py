"""CloudEvents: how they are packed, and which data are events."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from monitor.traces.formats import FORMATS
from monitor.traces.model import Document, Step, Unread

FORMAT = next(one for one in FORMATS if one.name == "cloudevents")
HEAD = {"specversion": "1.0", "id": "1", "type": "t", "source": "s", "time": "2026-01-05T09:00:00Z"}
EVENT = {"session": "s1", "kind": "tool.requested", "tool": "pay", "args": {"amount": 3}}
BINARY = {"ce_specversion": "1.0", "ce_time": "2026-01-05T09:00:00Z"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}


def read(value: Any) -> list[Any]:
    assert FORMAT.is_it(value)
    return list(FORMAT.read(Document("line 1", value)))


@pytest.mark.parametrize(
    "value",
    [
        {**HEAD, "data": EVENT},
        {**HEAD, "data": json.dumps(EVENT)},
        {**HEAD, "data_base64": base64.b64encode(json.dumps(EVENT).encode()).decode()},
        {"headers": STRUCTURED, "value": {**HEAD, "data": EVENT}},
        {"headers": STRUCTURED, "value": json.dumps({**HEAD, "data": EVENT})},
        {"headers": BINARY, "value": EVENT},
        {"headers": BINARY, "value": json.dumps(EVENT)},
    ],
)
def test_each_packing_is_opened(value: Any) -> None:
    (step,) = read(value)
    assert isinstance(step, Step)
    assert (step.session, step.kind, step.tool, step.args) == (
        "s1",
        "tool.requested",
        "pay",
        {"amount": 3},
    )
    assert step.time_ns == 1_767_603_600 * 10**9


def test_the_time_of_the_event_is_before_that_of_the_packing() -> None:
    (step,) = read({**HEAD, "data": {**EVENT, "ts": 1_767_603_601 * 10**9}})
    assert step.time_ns == 1_767_603_601 * 10**9


@pytest.mark.parametrize(
    "data",
    [
        None, "text", [], {"phase": "start"}, {**EVENT, "session": ""}, {**EVENT, "session": 1},
        {**EVENT, "kind": "approval.granted"}, {**EVENT, "kind": "control.applied"},
        {**EVENT, "kind": "Tool_Requested"}, {**EVENT, "kind": ""}, {**EVENT, "args": [1]},
        {**EVENT, "tool": 1}, {**EVENT, "attributes": "x"},
        '{"session": "a", "session": "s1", "kind": "tool.requested"}',
    ],
)  # fmt: skip
def test_data_that_are_no_event_are_not_read(data: Any) -> None:
    """Also an operator's answer: a file does not show who gave it."""
    (found,) = read({**HEAD, "data": data})
    assert isinstance(found, Unread)


def test_base64_that_cannot_be_read_is_told() -> None:
    (found,) = read({**HEAD, "data_base64": "?"})
    assert isinstance(found, Unread)


def test_data_of_another_format_are_read_as_that() -> None:
    data = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "pay"}}
    found = read({**HEAD, "data": data})
    assert [one.kind for one in found if isinstance(one, Step)] == ["tool.requested"]


@pytest.mark.parametrize("value", [{}, [], {"headers": {}}, {"type": "a", "source": "b"}, EVENT])
def test_other_documents_are_not_cloud_events(value: Any) -> None:
    assert not FORMAT.is_it(value)
