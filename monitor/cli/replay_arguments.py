"""Shared by the verbs that play a recording: their arguments, and opening a timeline."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from invariants.model.errors import ConfigError
from monitor.cli.arguments import paths
from monitor.cli.output import complain
from monitor.clock import SystemClock
from monitor.config.load import load_settings
from monitor.config.table import TABLE
from monitor.log import configure_log
from monitor.presentation import visible
from monitor.principals.load import load_principals
from monitor.secret import read_secret

if TYPE_CHECKING:
    from replay.recording.format import RecordedSettings, RecordingHeader
    from replay.timeline.program import LiveProgram
    from replay.timeline.timeline import LiveDetector, Timeline

IDLE_CLOSE: Final = next(setting.destination for setting in TABLE if setting.name == "idle_close")


NAMES_MAX: Final = 8


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Arguments: the recording, its session, and the invariants that judge it."""
    parser.add_argument("recording", help="a recording, or a plain .jsonl or .jsonl.gz of events")
    parser.add_argument(
        "--invariants",
        type=paths,
        default=(),
        help="files or folders, separated by commas; by default those of the recording, else the "
        "default packs",
    )
    parser.add_argument("--session", default="", help="only this session: its ID, or PRINCIPAL/ID")
    parser.add_argument(
        "--digest-key-file", help="the live monitor's key of `digest(...)` (its digest.key)"
    )
    parser.add_argument("--detector-model", help="the live detector's model")
    parser.add_argument("--detector-key-file", help="the key that the model was trained with")
    parser.add_argument(
        "--principals",
        help="a file of principals (by default that of the recording): the roles that invariants "
        "read, except those that gates recorded",
    )
    parser.add_argument(
        "--sort",
        action="store_true",
        help="for a plain file: order each session by `seq`, else by `ts`",
    )
    parser.add_argument(
        "--idle-close",
        dest=IDLE_CLOSE,
        metavar="DURATION",
        help="for a plain file: at its end, close sessions that were silent for this long",
    )


@contextmanager
def open_timeline(arguments: argparse.Namespace) -> Iterator[tuple[Timeline, LiveProgram]]:
    """The recording, played to its end, and the program that judged it.

    Raises
    ------
    ConfigError
        The recording, the session, the invariants or the model is not available.
    """
    # The package `replay` imports the monitor; only the command line imports it (decision 0020).
    from replay.capture.header import plain_settings
    from replay.recording.reader import RecordedFile
    from replay.timeline.program import find_program
    from replay.timeline.timeline import Timeline

    configure_log("warning", "auto")
    key_file = arguments.digest_key_file
    key = read_secret("digest_key_file", key_file).reveal() if key_file else None

    def settings_of_plain() -> RecordedSettings:
        return plain_settings(load_settings(flags=vars(arguments)))

    file = RecordedFile(
        arguments.recording,
        is_sorted=arguments.sort,
        plain_settings=settings_of_plain,
        now_ns=SystemClock().now_ns(),
    )
    with closing(file):
        live = find_program(file.header, arguments.invariants, key, arguments.session)
        detector = _detector(file.header, arguments)
        if getattr(arguments, IDLE_CLOSE) is not None and not file.is_plain:
            raise ConfigError("a recording contains its own `idle_close`; omit `--idle-close`")
        principals = load_principals(arguments.principals) if arguments.principals else None
        timeline = Timeline(file, live.program, arguments.session, detector, principals)
    with closing(timeline):
        if arguments.session:
            _check_session(timeline, arguments.session)
        if timeline.damage is not None:
            complain(f"{visible(str(timeline.damage))}; the part before it is valid")
        yield timeline, live


def _check_session(timeline: Timeline, asked: str) -> None:
    """Check that exactly one session matches."""
    wanted = timeline.wanted
    if not wanted:
        raise ConfigError(f"the recording has no event of `{visible(asked, 80)}`")
    if len(wanted) > 1:
        names = ", ".join(f"`{visible('/'.join(trace), 80)}`" for trace in wanted[:NAMES_MAX])
        raise ConfigError(
            f"`--session {visible(asked, 80)}`: {len(wanted)} principals used this ID; "
            f"name one of: {names}"
        )


def _detector(header: RecordingHeader, arguments: argparse.Namespace) -> LiveDetector | None:
    """The detector of `--detector-model`; its alarms are ordinary findings."""
    if arguments.detector_model is None:
        return None
    from monitor.detection.load_model import open_detector
    from monitor.detection.scoring import Scoring
    from replay.timeline.player import engine_settings
    from replay.timeline.timeline import LiveDetector

    detector = open_detector(arguments.detector_model, arguments.detector_key_file)
    severity = engine_settings(header.settings).severities.get("anomaly", "warning")
    return LiveDetector(detector, Scoring(detector, severity))
