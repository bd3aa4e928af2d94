"""What an event says, whatever the agent's values are: plain, whole or marked, within the size."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec
import pytest

from interlock.event_json import Draft, arguments, draft
from interlock.json_values import PLACEHOLDER_KEY, PlainJson
from interlock.limits import (
    NESTING_MAX,
    RECORD_BYTES_MAX,
    has_too_costly_numbers,
    nests_too_deep,
)
from invariants.model.event import Event, EventRecord, Origin
from monitor.ingest.decode import decode_event

IDENTITY = {"agent": "a", "parent": ""}


def whole(event: Draft) -> dict[str, Any]:
    """The event as the monitor decodes it, strictly, and as plain JSON."""
    data = event.numbered("session-1", 7, 123)
    assert len(data) <= RECORD_BYTES_MAX
    msgspec.json.decode(data, type=EventRecord)
    decoded: dict[str, Any] = msgspec.json.decode(data)
    return decoded


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: object


class Model:
    def model_dump(self) -> dict[str, object]:
        return {"text": "from the model"}


class Broken:
    def model_dump(self) -> dict[str, object]:
        raise ValueError("no")

    def __repr__(self) -> str:
        raise AssertionError("a value's repr is never asked for")


class Changing(OrderedDict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("changed during iteration")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (1.5, 1.5),
        ("ä", "ä"),
        ((1, [2]), [1, [2]]),
        ({"a": {2: None}}, {"a": {"2": None}}),
        (frozenset({1}), [1]),
        (b"text", "text"),
        (b"\xff\x00", {"$base64": "/wA="}),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.date(2025, 1, 2), "2025-01-02"),
        (PurePosixPath("/a/b"), "/a/b"),
        (Colour.RED, "red"),
        (Point(1, Point(2, "z")), {"x": 1, "y": {"x": 2, "y": "z"}}),
        (Model(), {"text": "from the model"}),
    ],
)
def test_values_become_what_a_reader_expects(value: object, plain: object) -> None:
    """Common types have one plain form, and nothing of them is lost."""
    convert = PlainJson(NESTING_MAX)
    assert convert(value) == plain
    assert convert.lost_count == 0


def endless() -> list[object]:
    loop: list[object] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    "value",
    [object(), Broken(), Changing(a=1), float("nan"), float("inf"), "\ud800", 2**2000, endless(),
     {(1, 2): 3}, {1: "a", "1": "b"}, {"\udfff": 1}, int, iter([1]), lambda: 1],
)  # fmt: skip
def test_what_json_cannot_say_is_counted_and_never_raised(value: object) -> None:
    """No value crashes the agent, runs its own `repr`, or makes a record nobody could read."""
    convert = PlainJson(NESTING_MAX)
    told = convert(value)
    assert convert.lost_count >= 1
    msgspec.json.decode(msgspec.json.encode(told))


def test_an_argument_that_cannot_be_told_is_left_out_and_named() -> None:
    """A placeholder could make a predicate false; what is absent makes it unknown."""
    told = arguments({"path": "/a", "context": object(), "deep": {"x": [float("nan")]}})
    event = whole(draft("tool.requested", identity=IDENTITY, tool="t", args=told))
    assert event["args"] == {"path": "/a"}
    assert event["attributes"] == {"interlock_args_omitted": ["context", "deep"]}


def test_two_arguments_of_one_name_are_both_left_out() -> None:
    """Neither can be told from the other."""
    told = arguments({1: "a", "1": "b", "c": 3})  # type: ignore[dict-item]
    assert msgspec.json.decode(told.json or b"") == {"c": 3}
    assert told.lost == ("1",)


@pytest.mark.parametrize(
    ("args", "attributes", "result", "missing"),
    [
        (30_000, 10_000, 20_000, set()),
        (30_000, 10_000, 30_000, {"interlock_result_length"}),
        (0, 0, 60_000, set()),
        (0, 0, 70_000, {"interlock_result_length"}),
        (33_000, 0, 60_000, {"interlock_args_omitted"}),
        (0, 17_000, 60_000, {"interlock_attributes_omitted"}),
    ],
)
def test_numbers_that_cost_too_much_are_missing(
    args: int, attributes: int, result: int, missing: set[str]
) -> None:
    """Each part within its share, all together within the limit of an event."""
    made = draft(
        "tool.completed",
        identity=IDENTITY,
        args=arguments({"a": [0.5] * args}),
        attributes={"a": [0.5] * attributes},
        result=[0.5] * result,
    )
    event = whole(made)
    notes = {name for name in event.get("attributes", {}) if name.startswith("interlock_")}
    assert notes == missing
    assert not has_too_costly_numbers(made.numbered("s", 0, 0))


@pytest.mark.parametrize("size", [RECORD_BYTES_MAX, 10 * RECORD_BYTES_MAX])
def test_arguments_are_never_cut(size: int) -> None:
    """Arguments that do not fit are left out whole, and the event says so."""
    event = draft("tool.requested", identity=IDENTITY, tool="t", args=arguments({"a": "x" * size}))
    assert event.is_oversize
    decoded = whole(event)
    assert "args" not in decoded
    assert decoded["attributes"] == {"interlock_args_omitted": True}


def test_too_many_values_count_as_oversize() -> None:
    """The budget of values ends in a marked event, not in a cut argument."""
    event = draft("tool.requested", identity=IDENTITY, args=arguments({"a": [0] * 300_000}))
    assert "args" not in whole(event)
    assert event.is_oversize


@pytest.mark.parametrize("char", ["x", "ä", "\x00", "\U0001f600", '"'])
def test_a_long_result_keeps_its_beginning(char: str) -> None:
    """A text too long is cut to what fits, however its characters are escaped."""
    decoded = whole(draft("tool.completed", identity=IDENTITY, result=char * 1_000_000))
    assert decoded["result"]
    assert set(decoded["result"]) == {char}
    assert decoded["attributes"]["interlock_result_length"] >= 1_000_000


def test_a_long_structured_result_keeps_the_beginning_of_its_text() -> None:
    """So that a data memory still sees the first tokens of it."""
    decoded = whole(draft("tool.completed", identity=IDENTITY, result=[{"a": "b" * 100}] * 50_000))
    assert decoded["result"].startswith('[{"a":"bbb')
    assert decoded["attributes"]["interlock_result_length"] > RECORD_BYTES_MAX


def test_an_event_with_everything_at_its_largest_still_fits() -> None:
    """Arguments are kept, the result gives way."""
    args = arguments({"a": "x" * 700_000})
    event = draft(
        "tool.completed",
        identity=dict.fromkeys(("agent", "user", "tenant"), "\x7f" * 256),
        tool="t" * 256,
        call="c" * 256,
        args=args,
        result="r" * 10**6,
        error="\x00" * 10**6,
        text="\x00" * 10**6,
        attributes={"k": "v" * 60_000},
    )
    decoded = whole(event)
    assert len(decoded["args"]["a"]) == 700_000
    assert decoded["attributes"]["interlock_text_length"] == 10**6
    assert len(decoded["error"]) == 4096


class Marked(str):
    """As template engines and NumPy have them; its own methods answer otherwise."""

    def __str__(self) -> str:
        return "another text"


def test_texts_of_types_of_their_own_are_texts() -> None:
    """What the agent's libraries call a text once raised out of `emit`, and nothing was told."""
    event = whole(draft("message.user", identity=IDENTITY, text=Marked("a"), error=Marked("b")))
    assert (event["text"], event["error"]) == ("a", "b")


def test_shared_references_do_not_explode() -> None:
    """A value that names one text a million times ends at the budget, not at the memory."""
    bomb: list[object] = ["x" * 10_000]
    for _ in range(30):
        bomb = [bomb, bomb]
    assert draft("tool.completed", identity=IDENTITY, result=bomb).is_cut


def test_nobody_else_writes_the_clients_own_notes() -> None:
    """Attributes named `interlock_...` come from the client alone."""
    decoded = whole(
        draft("x", identity=IDENTITY, attributes={"interlock_args_omitted": True, "a": 1})
    )
    assert decoded["attributes"] == {"a": 1}


def test_attributes_that_do_not_fit_are_left_out() -> None:
    """They are left out whole, and the event says so."""
    decoded = whole(draft("x", identity=IDENTITY, attributes={"a": "x" * 100_000}))
    assert decoded["attributes"] == {"interlock_attributes_omitted": True}


def test_an_iterator_is_not_used_up() -> None:
    """What can be read only once is the agent's, not ours."""

    def numbers() -> Iterator[int]:
        yield 1

    result = numbers()
    decoded = whole(draft("tool.completed", identity=IDENTITY, result=result))
    assert PLACEHOLDER_KEY in decoded["result"]
    assert next(result) == 1


@pytest.mark.parametrize("levels", range(NESTING_MAX - 4, NESTING_MAX + 3))
@pytest.mark.parametrize("place", ["args", "result", "attributes"])
def test_a_value_of_any_depth_is_read(place: str, levels: int) -> None:
    """The monitor counts the levels of the whole record, whichever part of it is deep; a gate those
    of a request that contains the event.
    """
    value: object = {"v": 1}
    for _ in range(levels - 1):
        value = {"v": value}
    assert isinstance(value, dict)
    fields: dict[str, Any] = {place: arguments(value) if place == "args" else value}
    event = draft("tool.completed", identity=IDENTITY, **fields)
    assert not nests_too_deep(b'{"events":[' + event.rest + b"]}")
    written = event.numbered("session-1", 7, 10**18)
    found = decode_event(written, Origin("t", "0", 0))
    assert isinstance(found, Event), found.detail
