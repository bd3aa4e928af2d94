"""The benches run and tell every figure; never a timing that can fail."""

from __future__ import annotations

import json

import pytest

from monitor.bench.engine import EngineFigures
from monitor.bench.kill_switch import latencies
from monitor.bench.session_length import LengthFigures
from monitor.cli.__main__ import main


def test_the_engines_bench_tells_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, the fields of `EngineFigures`, for as many events as were asked for."""
    assert main(["bench", "engine", "--events", "2000", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(EngineFigures.__slots__)
    assert (told["events"], told["event_bytes"], told["invariants"]) == (2_000, 331, 20)


def test_the_engines_bench_tells_people(capsys: pytest.CaptureFixture[str]) -> None:
    """As text, with the ratio first."""
    assert main(["bench", "engine", "--events", "2000"]) == 0
    assert "times bare decoding" in capsys.readouterr().out.splitlines()[0]


def test_the_bench_of_session_length_tells_every_figure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As JSON and as text; all that is paid was approved, and not too often."""
    assert main(["bench", "session-length", "--length", "4000", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(LengthFigures.__slots__)
    assert (told["length_long"], told["values_long"], told["findings"]) == (4_000, 400, 0)
    assert main(["bench", "session-length", "--length", "2000"]) == 0
    assert "times:" in capsys.readouterr().out


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_counts_are_one_or_more(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else is a fault of usage."""
    with pytest.raises(SystemExit) as ended:
        main(["bench", "engine", "--events", count])
    assert ended.value.code == 2
    capsys.readouterr()


def test_percentiles_are_of_the_nearest_rank() -> None:
    """And a session that was never refused is counted, and counts as ten seconds."""
    figures = latencies([n * 1_000_000 for n in range(1, 100)] + [None])
    assert (figures.p50_ms, figures.p90_ms, figures.p99_ms) == (50, 90, 99)
    assert (figures.sessions, figures.missed, figures.worst_ms) == (100, 1, 10_000)
    assert latencies([7_000_000]).p50_ms == 7
