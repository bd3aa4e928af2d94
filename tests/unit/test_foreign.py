"""A file without events says what it seems to be, by the names of its fields."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.transport.file.foreign import BYTES_MAX, LINES_MAX, explained, recognise
from monitor.transport.file.reader import FileSource
from tests.traces.samples import SAMPLES, Sample

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ROOT / "fixtures" / "foreign"
INDEX: dict[str, str | None] = yaml.safe_load((FOREIGN / "INDEX.yaml").read_text())


def lines_of(path: Path) -> list[bytes]:
    source = FileSource(str(path))
    source.poll(0, 10)
    source.resume({})
    while not source.poll(0, 100).is_finished:
        pass
    source.close()
    return source.first_lines


@pytest.mark.parametrize("name", sorted(INDEX))
def test_each_sample_is_recognised(name: str) -> None:
    """As it lies there: one document, one a line, or damaged."""
    assert recognise(lines_of(FOREIGN / name)) == INDEX[name]


def test_the_index_is_whole() -> None:
    """No sample lies there that is not looked at."""
    assert {path.name for path in FOREIGN.iterdir()} == {*INDEX, "INDEX.yaml"}


def test_a_large_document_is_told_by_its_beginning(tmp_path: Path) -> None:
    """What is kept of a file is bounded, and the names of its fields are enough."""
    path = tmp_path / "traces.json"
    span = b'{"resourceSpans": [\n' + b' {"spans": [],\n "more": 1},\n' * 40_000
    path.write_bytes(span)
    lines = lines_of(path)
    assert len(lines) <= LINES_MAX and sum(map(len, lines)) <= BYTES_MAX
    assert recognise(lines) == "OTLP (OpenTelemetry)"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_trace_that_is_refused_is_sent_to_the_command_that_reads_it(sample: Sample) -> None:
    """All formats of `interlock ingest`; other files are not sent there."""
    assert "`interlock ingest` makes events of it" in explained(lines_of(FOREIGN / sample.name))
    assert "ingest" not in explained(lines_of(FOREIGN / "sarif_finding.json"))


def test_a_document_of_many_lines_is_told_by_its_whole() -> None:
    """Lines in the middle of it may be documents of another sort."""
    lines = [
        b'{"suite_name": "s", "user_task_id": "u", "messages": [',
        b'{"role": "user", "content": 1}',
    ]
    assert recognise([*lines, b"]}"]) == "an agent's trajectory"


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_nothing_makes_it_fail(lines: list[bytes]) -> None:
    """Whoever writes the file chooses its bytes; what is said is one of our own sentences."""
    assert recognise(lines) is None or recognise(lines) in explained(lines)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": {"x": 1}, "type": [1], "payload": null}',
        b'{"schema_version": 5, "observation": {}}',
        b'{"session": null, "kind": [], "ts": {}}',
        b"[[[[[[[[]]]]]]]]",
        b"1e309",
    ],
)
def test_strange_values_are_not_a_fault(line: bytes) -> None:
    """Depth and types that no program writes."""
    assert explained([line]).endswith("and `seq` or `id`")
