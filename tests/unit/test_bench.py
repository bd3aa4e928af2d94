"""The benches run and tell every figure; never a timing that can fail."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

import monitor.ingest.decode as decode_module
from monitor.bench import engine, run
from monitor.bench.count_violated import CountFigures
from monitor.bench.engine import EngineFigures, measure_engine
from monitor.bench.gate import GateFigures
from monitor.bench.gate_ask import measure_asks
from monitor.bench.kill_switch import latencies
from monitor.bench.older_names import stand_in
from monitor.bench.part_clock import Cost, Hook, PartClock, without_cost
from monitor.bench.plan import PlanFigures
from monitor.bench.recorded import PACKS_DIGEST, packs_digest
from monitor.bench.run import RunFigures
from monitor.bench.session_length import LengthFigures
from monitor.bench.start import StartFigures
from monitor.cli.__main__ import main
from tests.support.kafka_broker import CHECKOUT
from tests.support.recorded import session_files


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


def test_the_engines_bench_counts_what_concerns_an_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The parts are of one whole, and other checkouts and workloads are not there unasked."""
    figures = measure_engine(2_000)
    assert (figures.live_predicates_per_event, figures.concerned_per_event) == (0.36, 3.36)
    assert figures.ratio_predicates > 0 and figures.ratio_findings > 0
    assert figures.beside is figures.packs_digest is figures.ratio_default_packs is None


def test_a_bench_runs_beside_another_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    """Here beside itself, as any other checkout; a folder of something else is refused."""
    given = ["bench", "engine", "--rule", "count-violated", "--events", "2", "--beside"]
    assert main([*given, str(CHECKOUT), "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(CountFigures.__slots__)
    assert told["cost_ratio_beside"] > 0 and told["findings"] == 4
    assert main([*given, str(CHECKOUT / "docs")]) == 2
    assert "not a checkout" in capsys.readouterr().err


def test_the_bench_of_a_run_tells_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON and as text; its parts are named."""
    given = ["bench", "run", "--workload", "bench", "--events", "500"]
    assert main([*given, "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(RunFigures.__slots__)
    assert {"decode", "engine", "store", "loop"} <= set(told["parts"])
    assert (told["events"], told["invariants"]) == (500, 20)
    assert main(given) == 0
    assert "outside decoding" in capsys.readouterr().out


def test_the_bench_of_starting_tells_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command ends as it should."""
    assert main(["bench", "start", "--rounds", "1", "--output", "json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(StartFigures.__slots__)


def test_the_bench_of_plans_tells_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON and as text, with a bound that is soon reached."""
    given = ["bench", "plan", "--shapes", "4", "--bound", "8"]
    assert main([*given, "--output", "json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(PlanFigures.__slots__)
    assert main(given) == 0
    assert "past the bound of 8" in capsys.readouterr().out


def test_recorded_sessions_are_those_of_the_workload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without them, or with others, nothing is measured; the frozen packs are as they were."""
    given = ["bench", "engine", "--workload", "recorded-v1"]
    assert main(given) == 2
    assert "--recordings" in capsys.readouterr().err
    assert main([*given, "--recordings", str(tmp_path)]) == 2
    assert "does not contain the recordings" in capsys.readouterr().err
    assert packs_digest() == PACKS_DIGEST


@pytest.mark.data
def test_the_recorded_workload_tells_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """Its digests, and the default packs of today beside it."""
    folder = session_files()[0].parent
    given = ["bench", "engine", "--workload", "recorded-v1", "--recordings", str(folder)]
    assert main([*given, "--events", "300", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(EngineFigures.__slots__)
    assert (told["packs_digest"], told["events"], told["invariants"]) == (PACKS_DIGEST, 300, 35)
    assert told["ratio_default_packs"] > 0 and told["ratio_with_detector"] is None


def test_the_cost_of_measuring_is_taken_off() -> None:
    """Time in an inner part is not the outer one's, and each call costs what was measured."""
    now = iter([0, 10, 25, 60])
    parts = PartClock(lambda: next(now))
    inner = parts.wrapped("inner", lambda: None)
    parts.wrapped("outer", inner)()
    turn = parts.take(Cost(inside_ns=2, around_ns=3))
    assert turn == {"inner": 15, "cost of inner": 2, "outer": 45, "cost of outer": 5}
    assert parts.take(Cost(0, 0)) == {}
    names = ("inner", "outer", "never")
    for whole, inner, outer in ((53.0, 13, 40), (46.0, 11, 35), (1.0, 9, 30)):
        told = without_cost([{**turn, "whole": whole}], names, "whole")
        assert told == [{"inner": inner, "outer": outer, "never": 0}]


def test_functions_are_put_back_after_measuring() -> None:
    """Also those that an older revision lacks are no trouble."""
    before = decode_module.decode_event
    hooks = [
        Hook("decode", "monitor.ingest.decode", "decode_event"),
        Hook("none", "monitor.ingest.decode", "no_such_function"),
        Hook("none", "monitor.ingest.decode", "take", "NoSuchClass"),
    ]
    with PartClock().attached(hooks):
        assert decode_module.decode_event is not before
    assert decode_module.decode_event is before


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


def test_an_older_checkout_has_other_names() -> None:
    """A module that is missing is the one that had its place; one that is there stays."""
    room, name = "monitor.no_room", "monitor.no_room.lines"
    with pytest.raises(ModuleNotFoundError):
        import_module(name)
    try:
        stand_in(
            {name: "monitor.findings.count_text", "monitor.log": "monitor.findings.count_text"}
        )
        assert import_module(name) is import_module("monitor.findings.count_text")
        assert import_module("monitor.log") is not import_module("monitor.findings.count_text")
    finally:
        del sys.modules[name], sys.modules[room]


def test_hooks_find_what_they_measure() -> None:
    """A hook without its function measures nothing, and its time would count as another part's."""
    for hook in (*engine.HOOKS, *run.HOOKS):
        holder = import_module(hook.module)
        assert hasattr(getattr(holder, hook.holder) if hook.holder else holder, hook.name), hook


@pytest.mark.data
def test_the_gates_bench_tells_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """With a real gate, a real echo and a real flood, in processes of their own."""
    folder = CHECKOUT.parent / "shared" / "data" / "agent-sessions"
    given = ["bench", "gate", "--recordings", str(folder), "--events", "600"]
    assert main([*given, "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(GateFigures.__slots__) and told.pop("beside") is None
    assert all(value > 0 for value in told.values()) and told["asks"] > 50


@pytest.mark.data
def test_the_gates_bench_plays_the_same_beside() -> None:
    """Another checkout is asked the same, in the same turns; what it gets is told."""
    own, other = measure_asks(300, CHECKOUT.parent / "shared/data/agent-sessions", CHECKOUT)
    assert other is not None and min(other.ratio, own.ratio, own.ratio_packs_alone) > 0


@pytest.mark.data
def test_the_gates_bench_needs_requests(capsys: pytest.CaptureFixture[str]) -> None:
    """Too few events are refused, in one line that says how many are enough."""
    folder = CHECKOUT.parent / "shared" / "data" / "agent-sessions"
    assert main(["bench", "gate", "--recordings", str(folder), "--events", "1"]) == 2
    assert "set `--events` to 1000 or more" in capsys.readouterr().err
