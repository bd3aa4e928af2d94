"""Laws of foreign traces: whatever a file contains, nothing of it is dropped in silence, and each
event that is made of it is one that the monitor reads.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from invariants.model.event import Event, Origin
from monitor.ingest.decode import decode_event
from monitor.traces.documents import documents
from monitor.traces.formats import FORMATS, items
from monitor.traces.model import Document, Format, Named, Passed, Step, Unread
from monitor.traces.native import assemble
from tests.laws.amount import CASES, FIRST_SEED
from tests.traces.samples import SAMPLES, Sample

ORIGIN = Origin("t", "0", 0)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1.5, "", "x", "\x00\u202e\ud800", "9" * 600, [], {}, [[]], {"a": 1},
    [None, "text", {"type": "text"}], "2026-01-05T09:00:00Z", 1767603602000000000, "{\"a\": [1]}",
    {"type": "tool_use"}, {"stringValue": "x"}, {"intValue": "7"}, "tool_use", "tools/call",
)  # fmt: skip
MUTATIONS_MAX = 4


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list within a value, with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def mutated(value: Any, random: Random) -> Any:
    """The same document with a few parts taken away, put elsewhere or replaced."""
    made = copy.deepcopy(value)
    for _ in range(random.randint(1, MUTATIONS_MAX)):
        found = list(places(made)) if isinstance(made, dict | list) else []
        if not found:
            return random.choice(VALUES)
        inside, key = random.choice(found)
        other, other_key = random.choice(found)
        match random.randrange(4):
            case 0:
                del inside[key]
            case 1:
                inside[key] = copy.deepcopy(random.choice(VALUES))
            case 2 if other_key in other if isinstance(other, dict) else True:
                inside[key] = copy.deepcopy(other[other_key])
            case _ if isinstance(inside, dict) and isinstance(key, str):
                inside[key.upper()] = inside.pop(key)
    return made


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_nothing_is_dropped_in_silence(format_: Format) -> None:
    """Each document of a trace makes at least one event, or is counted with its place."""
    found = [
        document
        for sample in of_format(format_)
        for document in documents(sample.content)
        if isinstance(document, Document)
    ]
    for number in range(CASES):
        random = Random(f"{FIRST_SEED}:{format_.name}:{number}")
        chosen = [random.choice(found) for _ in range(random.randint(1, 6))]
        given = [Document(f"line {n}", mutated(one.value, random)) for n, one in enumerate(chosen)]
        told = [list(items(format_, [document])) for document in given]
        assert all(told), given
        all_items = [item for one in told for item in one]
        made = assemble(all_items, "whole")
        steps = [item for item in all_items if isinstance(item, Step)]
        heads = sum(isinstance(item, Named) for item in all_items)
        passed = sum(isinstance(item, Unread | Passed) for item in all_items)
        assert made.unread_count + made.passed.total() == passed + max(0, heads - 1)
        assert made.unread_count >= sum(isinstance(item, Unread) for item in all_items)
        assert len(made.lines) == len(steps) - made.doubles_count
        for line in made.lines:
            assert isinstance(decode_event(line, ORIGIN), Event), line[:2_000]


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_damaged_files_are_read_as_far_as_they_go(format_: Format) -> None:
    """Bytes cut out, doubled or changed: no failure, and no file of nothing."""
    samples = list(of_format(format_))
    for number in range(CASES // 6):
        random = Random(f"{FIRST_SEED}:bytes:{format_.name}:{number}")
        content = bytearray(random.choice(samples).content[:20_000])
        for _ in range(random.randint(1, MUTATIONS_MAX)):
            begin = random.randrange(len(content))
            end = min(len(content), begin + random.randint(1, 40))
            content[begin:end] = random.choice([b"", content[begin:end] * 2, random.randbytes(3)])
        whole = list(documents(bytes(content)))
        assert whole
        made = assemble(items(format_, whole), "whole")
        for line in made.lines:
            assert isinstance(decode_event(line, ORIGIN), Event), line[:2_000]


def of_format(format_: Format) -> Iterator[Sample]:
    return (sample for sample in SAMPLES if sample.format == format_.name)
