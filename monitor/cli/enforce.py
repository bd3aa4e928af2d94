"""`interlock enforce --preview`: what a gate would have refused in recordings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, paths, with_output
from monitor.cli.output import EXIT_FINE, EXIT_UNJUDGED, complain, say, say_json
from monitor.clock import SystemClock
from monitor.presentation import visible
from monitor.principals.load import load_principals
from monitor.secret import read_secret
from monitor.transport.base import UNREAD_NOTICES

if TYPE_CHECKING:
    from monitor.principals.model import Principals
    from replay.preview.recorded import Input
    from replay.preview.tally import IsBenign, Tally


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "enforce",
        help=HELP["enforce"],
        description="Plays recordings as if a gate had been asked before each call, and reports "
        "for each invariant how many calls it would have denied or held. Nothing is changed, and "
        "the exit code is 0 whatever would be refused; 4 if something could not be read. "
        "Example: interlock enforce --preview recorded/ --invariants pack:default",
    )
    parser.add_argument(
        "--preview",
        nargs="+",
        required=True,
        metavar="RECORDING",
        help="recordings, plain files of events, log directories, or directories of such files",
    )
    parser.add_argument(
        "--invariants",
        type=paths,
        default=(),
        help="files or folders, separated by commas; by default those of each recording, else the "
        "default packs",
    )
    parser.add_argument(
        "--as-written",
        action="store_true",
        help="only invariants with `mode: enforce` refuse; by default all do",
    )
    parser.add_argument("--labels", metavar="FILE", help="labels of sessions, as JSON")
    parser.add_argument(
        "--benign",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a session with this label is benign; it must have one for each NAME",
    )
    parser.add_argument("--principals", help="a file of principals, for roles and attributes")
    parser.add_argument("--digest-key-file", help="the key of `digest(...)` of the live monitor")
    parser.add_argument(
        "--sort",
        action="store_true",
        help="for plain files: order each session by `seq`, else by `ts`",
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play every recording, then print what would have been refused; 4 if a part of it was not
    read.
    """
    # The package `replay` imports the monitor; only the command line imports it (decision 0020).
    from replay.preview.recorded import inputs_of, opened
    from replay.preview.tally import Tally, preview_lines

    principals = load_principals(arguments.principals) if arguments.principals else None
    tally = Tally(_benign(arguments))
    for files in inputs_of(arguments.preview):
        now_ns = SystemClock().now_ns()
        with opened(files, is_sorted=arguments.sort, now_ns=now_ns) as recording:
            _play(recording, arguments, principals, tally)
    preview = tally.result()
    if arguments.output == "json":
        say_json(msgspec.to_builtins(preview))
    else:
        for text in preview_lines(preview):
            say(text)
    for note in preview.notes:
        complain(f"note: {note}")
    return EXIT_UNJUDGED if preview.notes or preview.unjudged_count else EXIT_FINE


def _play(
    recording: Input,
    arguments: argparse.Namespace,
    principals: Principals | None,
    tally: Tally,
) -> None:
    from replay.preview.play import Preview
    from replay.recording.format import NoticeLine
    from replay.timeline.player import principals_in
    from replay.timeline.program import find_program

    key_file = arguments.digest_key_file
    key = read_secret("digest_key_file", key_file).reveal() if key_file else None
    program = find_program(recording.header, arguments.invariants, key).program
    preview = Preview(
        recording.header,
        program,
        enforces=not arguments.as_written,
        principals=principals or principals_in(recording.header),
    )
    tally.begin(recording.name, program)
    name = visible(recording.name)
    for line in recording.lines:
        if isinstance(line, NoticeLine) and line.kind in UNREAD_NOTICES:
            tally.notes.append(f"`{name}`: {visible(line.detail)}")
        asked = preview.play(line)
        if asked is not None:
            tally.take(asked)
    if recording.damage:
        tally.notes.append(f"{visible(recording.damage)}; the part before it was played")
    if preview.unread_count:
        tally.notes.append(f"`{name}`: {preview.unread_count} record(s) were not events")
    tally.end(preview.sessions, preview.unread_count, preview.unjudged_count)


def _benign(arguments: argparse.Namespace) -> IsBenign | None:
    from monitor.detection.training_data import has_labels, parse_only, read_labels

    if bool(arguments.labels) != bool(arguments.benign):
        raise ConfigError("`--labels` and `--benign` belong together; give both, or neither")
    if not arguments.labels:
        return None
    labels = read_labels(arguments.labels)
    wanted = parse_only(arguments.benign, "--benign")
    return lambda session: has_labels(labels.get(session, {}), wanted)
