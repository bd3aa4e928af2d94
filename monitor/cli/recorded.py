"""What the verbs share that play a recording: their arguments, and the way to a timeline."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from invariants.errors import ConfigError
from monitor.cli.screen import complain
from monitor.finding_text import visible
from monitor.log import configure_log
from monitor.secret import read_secret

if TYPE_CHECKING:
    from replay.live_program import LiveProgram
    from replay.recording import Header
    from replay.timeline import LiveDetector, Timeline


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Which recording, which of its sessions, and by what it is judged."""
    parser.add_argument("recording", help="a recording, or a plain .jsonl or .jsonl.gz of events")
    parser.add_argument(
        "--invariants",
        type=Path,
        help="a file or folder; else those of the recording, else the default packs",
    )
    parser.add_argument("--session", default="", help="this session only")
    parser.add_argument(
        "--digest-key-file", help="the live monitor's key of `digest(...)` (its digest.key)"
    )
    parser.add_argument("--detector-model", help="the live detector's model")
    parser.add_argument("--detector-key-file", help="the key that the model was trained with")


@contextmanager
def open_timeline(arguments: argparse.Namespace) -> Iterator[tuple[Timeline, LiveProgram]]:
    """The recording, played through, and the program that judged it.

    Raises
    ------
    ConfigError
        The recording, the session, the invariants or the model cannot be had.
    """
    # The replay room stands above the monitor; the command line alone reaches up (decision 0020).
    from replay.live_program import find_program
    from replay.reading import RecordedFile
    from replay.timeline import Timeline

    configure_log("warning", "auto")
    key_file = arguments.digest_key_file
    key = read_secret("digest_key_file", key_file).reveal() if key_file else None
    with closing(RecordedFile(arguments.recording)) as file:
        live = find_program(file.header, arguments.invariants, key, arguments.session)
        detector = _detector(file.header, arguments)
        timeline = Timeline(file, live.program, arguments.session, detector)
    with closing(timeline):
        if arguments.session and arguments.session not in timeline.sessions:
            raise ConfigError(f"no event of `{visible(arguments.session, 80)}` is in the recording")
        if timeline.damage is not None:
            complain(f"{visible(str(timeline.damage))}; what stood before it holds")
        yield timeline, live


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
