"""`interlock replay`: a recording through the same engine, at any moment of it."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from invariants.errors import ConfigError
from monitor.cli.screen import EXIT_FINE, EXIT_VIOLATIONS, complain, say, say_json
from monitor.cli.verbs import Verbs, with_output
from monitor.finding_text import visible
from monitor.log import configure_log
from monitor.secret import read_secret

if TYPE_CHECKING:
    from replay.live_program import LiveProgram
    from replay.recording import Header
    from replay.timeline import LiveDetector, Timeline


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "replay",
        help="replay a recording, and look at any moment of it",
        description="Gives the engine what a recording holds, and holds what it finds against "
        "what was found live: 0 where both are equal, 1 where they differ. Nothing is done to "
        "anybody. With --at, shows how every invariant stood after one event. "
        "Example: interlock replay incident.jsonl.gz --session s-1 --at 3",
    )
    parser.add_argument("recording", help="a recording, or a plain .jsonl or .jsonl.gz of events")
    parser.add_argument(
        "--invariants",
        type=Path,
        help="a file or folder; else those of the recording, else the default packs",
    )
    parser.add_argument(
        "--at",
        type=int,
        metavar="N",
        help="after record N of the recording, or event N of --session; from 0, or -1 for the last",
    )
    parser.add_argument("--session", default="", help="this session only")
    parser.add_argument(
        "--digest-key-file", help="the live monitor's key of `digest(...)` (its digest.key)"
    )
    parser.add_argument("--detector-model", help="the live detector's model")
    parser.add_argument("--detector-key-file", help="the key that the model was trained with")
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay; 1 where the findings differ from the live ones."""
    # The replay room stands above the monitor; the command line alone reaches up (decision 0020).
    from replay.live_program import find_program
    from replay.reading import RecordedFile
    from replay.timeline import Timeline

    configure_log("warning", "auto")
    key_file = arguments.digest_key_file
    key = read_secret("digest_key_file", key_file).reveal() if key_file else None
    with closing(RecordedFile(arguments.recording)) as file:
        live = find_program(file.header, arguments.invariants, key)
        detector = _detector(file.header, arguments)
        timeline = Timeline(file, live.program, arguments.session, detector)
    with closing(timeline):
        if arguments.session and arguments.session not in timeline.sessions:
            raise ConfigError(f"no event of `{visible(arguments.session, 80)}` is in the recording")
        if timeline.damage is not None:
            complain(f"{visible(str(timeline.damage))}; what stood before it holds")
        if arguments.at is not None:
            return _look(timeline, arguments)
        return _compare(timeline, live, arguments.output)


def _detector(header: Header, arguments: argparse.Namespace) -> LiveDetector | None:
    """The detector of `--detector-model`: its alarms are findings like others."""
    if arguments.detector_model is None:
        return None
    from monitor.detector_opening import open_detector
    from monitor.scoring import Scoring
    from replay.player import engine_settings
    from replay.timeline import LiveDetector

    detector = open_detector(arguments.detector_model, arguments.detector_key_file)
    severity = engine_settings(header.settings).severities.get("anomaly", "warning")
    return LiveDetector(detector, Scoring(detector, severity))


def _look(timeline: Timeline, arguments: argparse.Namespace) -> int:
    from replay.look import input_at, look_at
    from replay.standing_text import standing_lines

    standing = look_at(timeline, input_at(timeline, arguments.at))
    if arguments.output == "json":
        say_json(msgspec.to_builtins(standing))
    else:
        for text in standing_lines(standing):
            say(text)
    return EXIT_FINE


def _compare(timeline: Timeline, live: LiveProgram, output: str) -> int:
    from replay.compare import compare
    from replay.summary import summarise, summary_lines

    summary = summarise(timeline, live, compare(timeline, live.unevaluable))
    if output == "json":
        say_json(msgspec.to_builtins(summary))
    else:
        for text in summary_lines(summary, timeline.notices):
            say(text)
    return EXIT_FINE if summary.comparison.is_equal else EXIT_VIOLATIONS
