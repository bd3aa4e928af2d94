"""`interlock record`: writes the monitor's input to a file, without taking part."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import msgspec

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.output import EXIT_FINE, complain, say, say_json
from monitor.cli.signals import Stopper
from monitor.clock import SystemClock
from monitor.config.load import add_flags, load_settings, require
from monitor.config.table import Settings
from monitor.log import configure_log
from monitor.presentation import visible
from monitor.transport.address import parse_source_url

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "record",
        help=HELP["record"],
        description="Writes the engine's input to a file: events with their bytes, positions and "
        "times, in the order of the live monitor, together with the live findings and control "
        "records. It does not join a group, commit offsets or stop sessions. Use the settings of "
        "the live monitor (`--config`, `--invariants`), so that the recording contains the live "
        "invariants. It contains the agents' data: protect it accordingly. "
        "Example: interlock record --source log:/var/lib/interlock --invariants rules/ "
        "-o incident.jsonl.gz",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="FILE.jsonl or FILE.jsonl.gz")
    parser.add_argument(
        "--from", dest="from_time", help="RFC 3339: only records that arrived from this time on"
    )
    parser.add_argument(
        "--until", dest="until_time", help="RFC 3339: only records that arrived before this time"
    )
    parser.add_argument("--follow", action="store_true", help="continue until SIGTERM")
    parser.add_argument("--session", default="", help="only this session ID, of any principal")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--config", help="a YAML file with settings (else INTERLOCK_CONFIG)")
    with_output(parser)
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Record, and print a summary of the recording."""
    # The package `replay` imports the monitor; only the command line imports it (decision 0020).
    from monitor.transport.readonly.open import open_bystander
    from replay.capture.header import make_header
    from replay.capture.recorder import Recorder, RecordingChoice
    from replay.recording.writer import RecordingWriter

    settings = load_settings(arguments.config, flags=vars(arguments))
    require(settings, "source")
    configure_log("warning", settings.log_format)
    address = parse_source_url(settings.source or "")
    clock = SystemClock()
    wanted = RecordingChoice(
        session=arguments.session,
        from_ns=parse_time("--from", arguments.from_time),
        until_ns=parse_time("--until", arguments.until_time),
        is_following=arguments.follow,
    )
    place = open_bystander(
        address,
        settings.kafka.client_settings(),
        clock.now_ns,
        trust_ts=settings.trust_ts,
        from_time_ns=wanted.from_ns,
    )
    with closing(place.source):
        if wanted.until_ns is None and place.has_broker_times and not wanted.is_following:
            # A topic that is written continuously has no end to wait for.
            wanted = replace(wanted, until_ns=clock.now_ns())
        header = make_header(
            settings,
            address,
            place.topics,
            wanted,
            created_ns=clock.now_ns(),
            release=_release(),
            model_digest=_model_digest(settings),
        )
        writer = RecordingWriter(arguments.out, header, is_replacing=arguments.force)
        with closing(writer):
            end = Recorder(place, writer, header, wanted, clock).run(Stopper().is_asked)
            counts = writer.end(end)
    return _tell(arguments, counts, end, is_named=bool(header.invariants))


def parse_time(flag: str, text: str | None) -> int | None:
    """RFC 3339 text as ns since 1970. Raises ConfigError for anything else."""
    if text is None:
        return None
    try:
        elapsed = datetime.fromisoformat(text) - _EPOCH
    except (ValueError, TypeError):  # TypeError: a time without its zone.
        elapsed = timedelta(-1)
    if elapsed < timedelta(0):
        raise ConfigError(
            f"`{flag} {visible(text, 60)}`: expected RFC 3339 with a time zone, such as "
            "`2026-11-23T09:00:00Z`"
        )
    return elapsed // timedelta(microseconds=1) * 1_000


def _tell(
    arguments: argparse.Namespace, counts: Mapping[str, int], end: Any, *, is_named: bool
) -> int:
    if not is_named:
        complain(
            "note: the recording does not list the live invariants, so a replay cannot detect what "
            "the live monitor missed; name them with `--config` or `--invariants`"
        )
    if arguments.output == "json":
        say_json({**msgspec.to_builtins(end), "counts": counts})
        return EXIT_FINE
    if not counts.get("event"):
        complain("note: there was nothing to record")
    if end.findings != "whole":
        complain(
            f"note: live findings: {end.findings}; a replay cannot be compared with all of them"
        )
    told = ", ".join(_counted(name, count) for name, count in counts.items())
    say(f"{arguments.out}: {told or 'nothing'} ({end.reason})")
    return EXIT_FINE


def _counted(line: str, count: int) -> str:
    """The number of lines of a kind, as text."""
    name = "control record" if line == "control" else line
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _model_digest(settings: Settings) -> str:
    """The name of the live detector's model, or an empty text."""
    if settings.detector.model is None:
        return ""
    from monitor.detection.load_model import open_detector

    return open_detector(settings.detector.model, settings.detector.key_file).digest


def _release() -> str:
    try:
        return version("interlock")
    except PackageNotFoundError:
        return "unknown"
