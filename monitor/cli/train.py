"""`interlock train`: a model of ordinary sessions, for `detector.model`."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invariants.model.errors import ConfigError
from invariants.model.event import Event
from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.output import EXIT_FINE, complain, say, say_json
from monitor.evidence_file import write_evidence
from monitor.transport.base import UNREAD_NOTICES

if TYPE_CHECKING:
    from detectors.model import Model
    from monitor.detection.training_data import SessionGatherer


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "train",
        help=HELP["train"],
        description="Learns from recordings what ordinary sessions look like, and writes a model "
        "for the setting `detector.model`. Everything in the recordings counts as ordinary: "
        "exclude other sessions (`--only`). Some groups are held out to calibrate the threshold "
        "for an anomaly.",
        epilog="Example: interlock train recorded/ --by agent -o model.interlock",
    )
    parser.add_argument(
        "recordings", nargs="+", metavar="RECORDING", help="files of events, or directories of them"
    )
    parser.add_argument("-o", "--out", required=True, metavar="MODEL", help="the model's file")
    parser.add_argument(
        "--by",
        default="task",
        metavar="NAMES",
        help="the names that define groups of interchangeable sessions: `agent`, `user`, `tenant`, "
        "`session`, a label or attribute, or several with commas; `task` (default) is a label or "
        "attribute of that name, else the user's first message",
    )
    parser.add_argument("--labels", metavar="FILE", help="labels of sessions, as JSON")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only sessions with this label; for one name, any of the given values",
    )
    parser.add_argument(
        "--false-alarms",
        type=_rate,
        default=0.05,
        metavar="RATE",
        help="the share of ordinary sessions that may be reported as an anomaly (default 0.05)",
    )
    parser.add_argument(
        "--calibration",
        choices=("split", "cross"),
        default="split",
        help="hold out half of the groups (default), which guarantees the rate; or use all for "
        "both, which needs half as many and keeps the rate in practice",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="the seed of every random choice (default 0)"
    )
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        help="a key for hashing names, stored separately from the model",
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, train, write."""
    try:
        from detectors.bloom import KEY_BYTES
        from detectors.model_file import encode_model, model_digest
        from detectors.training import TrainingOptions, train
    except ImportError:
        raise ConfigError("training needs more packages: pip install 'interlock[train]'") from None
    from monitor.detection.load_model import digest_of_key, key_of

    key = key_of(arguments.key_file) if arguments.key_file else secrets.token_bytes(KEY_BYTES)
    gatherer = _gathered(arguments, key)
    options = TrainingOptions(
        false_alarms=arguments.false_alarms,
        calibration=arguments.calibration,
        grouped_by=arguments.by,
        seed=arguments.seed,
    )
    model = train(gatherer.sessions(), options, key, digest_of_key(key))
    if arguments.key_file:
        model = replace(model, key=None)
    data = encode_model(model)
    write_evidence(Path(arguments.out), data)
    _tell(arguments, model, model_digest(data), gatherer.events_count)
    return EXIT_FINE


def _gathered(arguments: argparse.Namespace, key: bytes) -> SessionGatherer:
    # The package `replay` imports the monitor; only the command line imports it (decision 0020).
    from detectors.bloom import Words
    from monitor.detection.training_data import (
        SessionChoice,
        SessionGatherer,
        parse_only,
        read_labels,
        recordings_of,
    )
    from replay.recording.format import NoticeLine, RecordLine
    from replay.recording.reader import RecordedFile
    from replay.timeline.player import read_line

    labels = read_labels(arguments.labels) if arguments.labels else {}
    if arguments.only and not arguments.labels:
        raise ConfigError("`--only` needs labels; give them with `--labels`")
    wanted = SessionChoice(by=tuple(arguments.by.split(",")), only=parse_only(arguments.only))
    gatherer = SessionGatherer(Words(key), labels, wanted)
    rejected_count = 0
    for path in recordings_of(arguments.recordings):
        file = RecordedFile(path)
        for line in file.lines():
            if isinstance(line, RecordLine):
                event = read_line(line)
                if isinstance(event, Event):
                    gatherer.take(event)
                else:
                    rejected_count += 1
            elif isinstance(line, NoticeLine) and line.kind in UNREAD_NOTICES:
                raise ConfigError(f"`{path}`: {line.detail}; train on complete files")
        if file.damage is not None:
            raise ConfigError(f"`{path}`: {file.damage}; train on complete files")
    if rejected_count:
        complain(f"note: {rejected_count} records are not valid events and were skipped")
    return gatherer


def _tell(arguments: argparse.Namespace, model: Model, digest: str, events_count: int) -> None:
    from monitor.detection.load_model import uncalibrated_text

    training, calibration = model.training, model.calibration
    if arguments.output == "json":
        say_json(
            {
                "model": digest,
                "sessions": training.sessions_count,
                "groups": training.groups_count,
                "events": events_count,
                "actions": training.moments_count,
                "false_alarms": calibration.false_alarms,
                "calibration": training.calibration,
                "calibration_groups": calibration.groups_count,
                "missing_groups": calibration.missing_groups,
                "threshold": calibration.threshold,
            }
        )
        return
    say(
        f"{arguments.out}: {digest}, from {training.sessions_count} sessions in "
        f"{training.groups_count} groups (by {training.grouped_by}), {events_count} events"
    )
    if calibration.threshold is None:
        complain(f"note: {uncalibrated_text(model)}")
    else:
        say(
            f"an anomaly is a score above {calibration.threshold:.3g}: at most "
            f"{calibration.false_alarms:.3g} of ordinary sessions, by {calibration.groups_count} "
            "groups that were held out"
            if training.calibration == "split"
            else f"an anomaly is a score above {calibration.threshold:.3g}: about "
            f"{calibration.false_alarms:.3g} of ordinary sessions (never more than twice that), "
            f"by {calibration.groups_count} groups"
        )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0001 <= rate <= 0.5:
        raise argparse.ArgumentTypeError(f"`{text}`: expected a share from 0.0001 to 0.5")
    return rate
