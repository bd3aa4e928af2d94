"""Each sample of a foreign trace, and the events that are made of it, line by line.

`INTERLOCK_UPDATE_GOLDEN=1 pytest tests/traces` writes the expected events anew; read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.traces.documents import documents
from monitor.traces.formats import FORMATS, items, recognised
from monitor.traces.native import assemble
from tests.traces.samples import SAMPLES, Sample

GOLDEN = Path(__file__).parent / "golden"
IS_UPDATE = os.environ.get("INTERLOCK_UPDATE_GOLDEN") == "1"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_events_of_a_sample(sample: Sample) -> None:
    format_ = recognised(documents(sample.content))
    assert format_ is not None and format_.name == sample.format
    made = assemble(items(format_, documents(sample.content)), "whole")
    assert not made.unread, made.unread
    text = b"".join(line + b"\n" for line in made.lines)
    expected = GOLDEN / f"{sample.name}.events.jsonl"
    if IS_UPDATE:
        expected.write_bytes(text)
    assert text == expected.read_bytes(), (
        "if the change is meant: INTERLOCK_UPDATE_GOLDEN=1 pytest tests/traces, then read the diff"
    )


def test_every_format_has_a_sample_and_every_golden_file_its_sample() -> None:
    assert {sample.format for sample in SAMPLES} == {format_.name for format_ in FORMATS}
    assert {path.name for path in GOLDEN.iterdir()} == {
        f"{sample.name}.events.jsonl" for sample in SAMPLES
    }
