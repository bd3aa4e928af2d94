"""`interlock replay`: runs a recording through the same engine, up to any event."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.output import (
    EXIT_FINE,
    EXIT_UNJUDGED,
    EXIT_USAGE,
    EXIT_VIOLATIONS,
    complain,
    say,
    say_json,
)
from monitor.cli.replay_arguments import add_recording, open_timeline
from monitor.presentation import unjudged_text, visible
from monitor.transport.base import UNREAD_NOTICES

if TYPE_CHECKING:
    from replay.compare.summary import Summary
    from replay.timeline.program import LiveProgram
    from replay.timeline.timeline import Timeline


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "replay",
        help=HELP["replay"],
        description="Runs a recording through the engine and compares its findings with the live "
        "ones. Exits with 0 if they are equal and 1 if they differ; for a plain file, like "
        "`interlock run`. It never takes an action. With --at, shows the state of every invariant "
        "after one event. "
        "Example: interlock replay incident.jsonl.gz --session s-1 --at 3",
    )
    add_recording(parser)
    parser.add_argument(
        "--at",
        type=int,
        metavar="N",
        help="after record N of the recording, or event N of --session, from 0; -1 is the last",
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay; 1 if findings differ from the live ones, or a plain file has a violation."""
    with open_timeline(arguments) as (timeline, live):
        if arguments.at is not None:
            return _look(timeline, arguments)
        return _compare(timeline, live, arguments)


def _look(timeline: Timeline, arguments: argparse.Namespace) -> int:
    from replay.snapshot.take import input_at, look_at
    from replay.snapshot.text import standing_lines

    standing = look_at(timeline, input_at(timeline, arguments.at))
    if arguments.output == "json":
        say_json(msgspec.to_builtins(standing))
    else:
        for text in standing_lines(standing):
            say(text)
    return EXIT_FINE


def _compare(timeline: Timeline, live: LiveProgram, arguments: argparse.Namespace) -> int:
    from replay.compare.findings import compare
    from replay.compare.summary import summarise, summary_lines

    summary = summarise(timeline, live, compare(timeline, live.unevaluable))
    if arguments.output == "json":
        say_json(msgspec.to_builtins(summary))
    else:
        for text in summary_lines(summary, timeline.notices):
            say(text)
    if timeline.is_plain and not timeline.sessions:
        complain(f"`{visible(arguments.recording)}` contains no event: there is nothing to replay")
        return EXIT_USAGE
    if timeline.is_plain:
        return _code_of_file(timeline, summary)
    return EXIT_FINE if summary.comparison.is_equal else EXIT_VIOLATIONS


def _code_of_file(timeline: Timeline, summary: Summary) -> int:
    """The exit code of `interlock run` for this file: it has no live findings to compare."""
    if any(finding.type == "violated" for finding in summary.findings):
        return EXIT_VIOLATIONS
    is_unread = any(notice.kind in UNREAD_NOTICES for notice in timeline.notices)
    unjudged = unjudged_text(finding.type for finding in summary.findings)
    if unjudged:
        complain(f"note: {unjudged}")
    is_whole = not (is_unread or timeline.rejected_count or unjudged or summary.open.count)
    return EXIT_FINE if is_whole else EXIT_UNJUDGED
