"""The measurements of `interlock bench` that are relative to decoding, or to an empty Python."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from invariants.model.errors import ConfigError
from monitor.cli.arguments import Verbs, with_output
from monitor.cli.output import EXIT_FINE, say, say_json

if TYPE_CHECKING:
    from monitor.bench.engine import EngineFigures

EVENTS_COUNT: Final = 100_000
RECORDED_COUNT: Final = 40_000
RUN_COUNT: Final = 40_000
GATE_COUNT: Final = 20_000
COUNT_COUNT: Final = 2_000
SHAPES_COUNT: Final = 4_096
ROUNDS_COUNT: Final = 20
OWN, RECORDED = "bench", "recorded-v1"
RULE: Final = "count-violated"


def add(kinds: Verbs) -> None:
    """Declare these measurements."""
    engine = kinds.add_parser(
        "engine", help="the cost of an event, compared with JSON decoding alone"
    )
    _with_workload(engine, OWN)
    engine.add_argument(
        "--rule",
        choices=(RULE,),
        help="instead: how the cost of one violated invariant grows with its window",
    )
    engine.add_argument("--model", metavar="FILE", help=f"a detector's model, for `{RECORDED}`")
    _finish(engine, _run_engine)
    run = kinds.add_parser("run", help="a whole run over a file, compared with JSON decoding alone")
    _with_workload(run, RECORDED)
    _finish(run, _run_run)
    gate = kinds.add_parser(
        "gate", help="the cost of asking a gate, compared with JSON decoding and with an echo"
    )
    gate.add_argument("--events", type=positive, default=GATE_COUNT, metavar="N")
    gate.add_argument(
        "--recordings", required=True, metavar="FOLDER", help=f"the sessions of `{RECORDED}`"
    )
    _finish(gate, _run_gate)
    start = kinds.add_parser("start", help="the time to start, compared with an empty Python")
    start.add_argument("--rounds", type=positive, default=ROUNDS_COUNT, metavar="N")
    _finish(start, _run_start)
    plan = kinds.add_parser("plan", help="the cost of an event of a new kind and tool")
    plan.add_argument(
        "--shapes",
        type=positive,
        default=SHAPES_COUNT,
        metavar="N",
        help="new shapes before the bound, and as many past it",
    )
    plan.add_argument(
        "--bound",
        type=positive,
        default=SHAPES_COUNT,
        metavar="N",
        help="the number of shapes that the engine remembers",
    )
    _finish(plan, _run_plan)


def positive(text: str) -> int:
    """A flag's number, from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"`{text}`: expected 1 or more")
    return number


def _with_workload(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--events", type=positive, metavar="N")
    parser.add_argument("--workload", choices=(OWN, RECORDED), default=default)
    parser.add_argument(
        "--recordings", metavar="FOLDER", help=f"the recorded sessions of `{RECORDED}`"
    )


def _finish(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument(
        "--beside", metavar="CHECKOUT", help="measure this checkout too, turn by turn"
    )
    with_output(parser)
    parser.set_defaults(run=run)


def _run_gate(arguments: argparse.Namespace) -> int:
    from monitor.bench.gate import measure_gate

    figures = measure_gate(arguments.events, Path(arguments.recordings), _path(arguments.beside))
    text = (
        f"in process: {figures.ask_ratio_to_decode:g} times bare decoding of the request "
        f"({figures.ask_us:g} us), {figures.ask_ratio_to_decode_packs_alone:g} with packs alone\n"
        f"over a socket: {figures.socket_ratio_to_echo_p50:g} times an echo at the median "
        f"({figures.socket_p50_us:g} us), {figures.socket_ratio_to_echo_p99:g} at p99 "
        f"({figures.socket_p99_us:g} us)\n"
        f"64 agents at once: {figures.throughput_ratio:g} times the rate of one "
        f"({figures.asks_per_second_many:g} requests/s)\n"
        f"beside a flood: {figures.flood_ratio_p99:g} times its p99 alone\n"
        f"start to first answer: {figures.start_over_python:g} times `python -c pass` "
        f"({figures.start_ms:g} ms)"
    )
    if figures.beside is not None:
        text += (
            f"\nbeside, in process: {figures.beside.ratio:g}, {figures.beside.ratio_packs_alone:g}"
        )
    return _tell(arguments, figures, text)


def _recordings(arguments: argparse.Namespace) -> Path | None:
    if arguments.workload == RECORDED and arguments.recordings is None:
        raise ConfigError(f"`--workload {RECORDED}` needs `--recordings FOLDER`")
    if arguments.workload != RECORDED and arguments.recordings is not None:
        raise ConfigError(f"`--recordings` is for `--workload {RECORDED}`")
    return _path(arguments.recordings)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _run_engine(arguments: argparse.Namespace) -> int:
    from monitor.bench.engine import measure_engine

    recordings = _recordings(arguments)
    if arguments.rule is not None:
        return _run_count(arguments)
    figures = measure_engine(
        arguments.events or (RECORDED_COUNT if recordings else EVENTS_COUNT),
        recordings=recordings,
        beside=_path(arguments.beside),
        model=_path(arguments.model),
    )
    return _tell(arguments, figures, _engine_text(figures))


def _engine_text(figures: EngineFigures) -> str:
    text = (
        f"{figures.ratio_to_decode:g} times bare decoding "
        f"({figures.ns_per_event} ns an event: {figures.ns_per_event_decode} to decode, "
        f"{figures.ns_per_event_engine} in the engine; bare decoding "
        f"{figures.ns_per_event_decode_bare})\n"
        f"{_parts_text(asdict(figures))}\n"
        f"{figures.events_per_second} events/s: {figures.events} events of "
        f"{figures.event_bytes} bytes, {figures.invariants} invariants, "
        f"{figures.findings} findings\n"
        f"an event: {figures.live_predicates_per_event:g} live predicates, "
        f"{figures.concerned_per_event:g} invariants concerned"
    )
    if figures.packs_digest is not None:
        text += f"\npacks {figures.packs_digest}, recordings {figures.recordings_digest}"
        text += f"\n{figures.ratio_default_packs:g} with the default packs as they are now"
    if figures.ratio_with_detector is not None:
        text += f"\n{figures.ratio_with_detector:g} with the detector"
    if figures.beside is not None:
        text += f"\nthe other checkout: {figures.beside['ratio_to_decode']:g}; "
        text += _parts_text(figures.beside)
    return text


def _parts_text(figures: Mapping[str, Any]) -> str:
    parts = ("decode", "order", "predicates", "operators", "findings")
    return ", ".join(f"{part} {figures[f'ratio_{part}']:g}" for part in parts)


def _run_count(arguments: argparse.Namespace) -> int:
    from monitor.bench.count_violated import measure_count_violated

    figures = measure_count_violated(arguments.events or COUNT_COUNT, _path(arguments.beside))
    text = (
        f"{figures.cost_ratio:g} times: {figures.ns_per_event_large} ns an event with "
        f"{figures.window_events_large} events in the window, {figures.ns_per_event_small} with "
        f"{figures.window_events_small}"
    )
    if figures.cost_ratio_beside is not None:
        text += f"\nthe other checkout: {figures.cost_ratio_beside:g}"
    return _tell(arguments, figures, text)


def _run_run(arguments: argparse.Namespace) -> int:
    # The whole monitor, with its store and metrics.
    from monitor.bench.run import measure_run

    figures = measure_run(
        arguments.events or RUN_COUNT,
        recordings=_recordings(arguments),
        beside=_path(arguments.beside),
    )
    text = (
        f"{figures.whole_ratio_to_decode:g} times bare decoding, {figures.outside_ratio:g} outside "
        f"decoding and the engine\n{_mapping_text(figures.parts)}\n"
        f"{figures.events_per_second} events/s: {figures.events} events, {figures.invariants} "
        f"invariants, {figures.findings} findings"
    )
    if figures.packs_digest is not None:
        text += f"\npacks {figures.packs_digest}, recordings {figures.recordings_digest}"
    if figures.beside is not None:
        text += (
            f"\nthe other checkout: {figures.beside['whole_ratio_to_decode']:g}, "
            f"{figures.beside['outside_ratio']:g} outside; {_mapping_text(figures.beside['parts'])}"
        )
    return _tell(arguments, figures, text)


def _run_start(arguments: argparse.Namespace) -> int:
    from monitor.bench.start import measure_start

    figures = measure_start(arguments.rounds, _path(arguments.beside))
    text = (
        f"{figures.help_over_python:g} times `python -c pass` for `--help`, "
        f"{figures.first_verdict_over_python:g} for a first verdict, "
        f"{figures.first_verdict_default_packs_over_python:g} with the default packs, "
        f"{figures.second_start_default_packs_over_python:g} at their second start\n"
        f"({figures.python_ms} ms, {figures.help_ms}, {figures.first_verdict_ms}, "
        f"{figures.first_verdict_default_packs_ms}, {figures.second_start_default_packs_ms})"
    )
    return _tell(arguments, figures, text + _beside_text(figures.beside))


def _run_plan(arguments: argparse.Namespace) -> int:
    from monitor.bench.plan import measure_plan

    figures = measure_plan(arguments.shapes, arguments.bound, _path(arguments.beside))
    text = (
        f"{figures.ratio_per_new_shape:g} times bare decoding for a new shape, "
        f"{figures.invariants} invariants\n"
        f"an event of a new shape past the bound of {figures.shapes_bound}: "
        f"{figures.ratio_past_bound:g} times one before it, "
        f"{figures.ratio_past_bound_over_known:g} times one of a known shape"
    )
    return _tell(arguments, figures, text + _beside_text(figures.beside))


def _beside_text(beside: Mapping[str, float] | None) -> str:
    return "" if beside is None else f"\nthe other checkout: {_mapping_text(beside)}"


def _mapping_text(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {ratio:g}" for name, ratio in figures.items())


def _tell(arguments: argparse.Namespace, figures: Any, text: str) -> int:
    if arguments.output == "json":
        say_json(asdict(figures))
    else:
        say(text)
    return EXIT_FINE
