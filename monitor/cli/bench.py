"""`interlock bench`: the cost of an event, and the time from a violation to a stop."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from invariants.model.errors import ConfigError
from monitor.cli import bench_pipeline
from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.bench_pipeline import EVENTS_COUNT, positive
from monitor.cli.output import EXIT_FINE, say, say_json

SESSIONS_COUNT: Final = 300
SEEDS_COUNT: Final = 10


def add(verbs: Verbs) -> None:
    """Declare the verb and its measurements."""
    parser = verbs.add_parser(
        "bench",
        help=HELP["bench"],
        description="Runs a measurement on this machine. Compare only figures of one run with each "
        "other; docs/benchmarks.md describes how the published figures were measured.",
    )
    kinds = parser.add_subparsers(title="measurements", required=True, metavar="MEASUREMENT")
    bench_pipeline.add(kinds)
    length = kinds.add_parser(
        "session-length", help="the cost of an event in a long session, compared with short ones"
    )
    length.add_argument("--length", type=positive, default=EVENTS_COUNT, metavar="N")
    with_output(length)
    length.set_defaults(run=_run_session_length)
    kill_switch = kinds.add_parser(
        "kill-switch", help="the time from a violating event to the first refusal, on Kafka"
    )
    kill_switch.add_argument("--kafka", metavar="HOST:PORT", help="the broker to use")
    kill_switch.add_argument("--sessions", type=positive, default=SESSIONS_COUNT, metavar="N")
    kill_switch.add_argument(
        "--backlog",
        type=positive,
        default=None,
        metavar="N",
        help="events for measuring the maximum rate",
    )
    with_output(kill_switch)
    kill_switch.set_defaults(run=_run_kill_switch)

    detector = kinds.add_parser(
        "detector", help="the detections of a model on labelled recordings, as Markdown tables"
    )
    detector.add_argument("folder", metavar="FOLDER", help="recordings, with labels.jsonl.gz")
    detector.add_argument("--seeds", type=positive, default=SEEDS_COUNT, metavar="N")
    detector.set_defaults(run=_run_detector)


def _run_detector(arguments: argparse.Namespace) -> int:
    try:
        from monitor.bench.detector_report import load, report
    except ImportError:
        raise ConfigError("this needs more packages: pip install 'interlock[train]'") from None
    report(load(arguments.folder), arguments.seeds, say)
    return EXIT_FINE


def _run_session_length(arguments: argparse.Namespace) -> int:
    from monitor.bench.session_length import measure_session_length

    figures = measure_session_length(arguments.length)
    if arguments.output == "json":
        say_json(asdict(figures))
        return EXIT_FINE
    say(
        f"{figures.cost_ratio:g} times: {figures.ns_per_event_long} ns an event in a session of "
        f"{figures.length_long}, {figures.ns_per_event_short} in sessions of "
        f"{figures.length_short}; {figures.cost_ratio_last:g} times in its last fifth"
    )
    return EXIT_FINE


def _run_kill_switch(arguments: argparse.Namespace) -> int:
    # Kafka's client takes long to import.
    from monitor.bench.kill_switch import BACKLOG_EVENTS, Latencies, measure_kill_switch

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-bench-")))
        bootstrap = arguments.kafka or _own_broker(folder / "broker", stack)
        figures = measure_kill_switch(
            bootstrap, folder, arguments.sessions, arguments.backlog or BACKLOG_EVENTS
        )
    if arguments.output == "json":
        say_json(asdict(figures))
        return EXIT_FINE

    def told(of: Latencies) -> str:
        return (
            f"p50 {of.p50_ms} ms, p99 {of.p99_ms} ms, worst {of.worst_ms} ms "
            f"({of.sessions} sessions, {of.missed} never refused)"
        )

    say(f"idle:      {told(figures.idle)}")
    say(f"half load: {told(figures.half_load)}")
    say(
        f"maximum rate {figures.maximum_rate_events_per_second} events/s "
        f"({figures.maximum_rate_method}); load {figures.half_load_events_per_second} events/s; "
        f"fsync {figures.fsync_p50_ms} ms"
    )
    return EXIT_FINE


def _own_broker(directory: Path, stack: ExitStack) -> str:
    """A broker for this run only, started with the test support of a checkout.

    Raises
    ------
    ConfigError
        This is not a checkout, or `java` or `mvn` is missing.
    """
    path = Path(__file__).resolve().parents[2] / "tests" / "support" / "kafka_broker.py"
    if not path.is_file():
        raise ConfigError(
            "no broker: name one with `--kafka HOST:PORT`, or run this in a checkout of Interlock"
        )
    kafka_broker = _load(path)
    reason = kafka_broker.why_not_available()
    if reason is not None:
        raise ConfigError(f"no broker: {reason}; or name one with `--kafka HOST:PORT`")
    broker = kafka_broker.start_broker(directory)
    stack.callback(broker.stop)
    return str(broker.bootstrap)


def _load(path: Path) -> Any:
    """A module loaded from its file: an installed package may also have the name `tests`."""
    spec = importlib.util.spec_from_file_location("interlock_kafka_broker", path)
    assert spec is not None and spec.loader is not None, "the file exists"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
