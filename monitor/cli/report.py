"""`interlock report`: a recording as one page that shows what happened, and why."""

from __future__ import annotations

import argparse
from pathlib import Path

from monitor.cli.recorded import add_recording, open_timeline
from monitor.cli.screen import (
    EXIT_FINE,
    EXIT_UNJUDGED,
    EXIT_USAGE,
    EXIT_VIOLATIONS,
    complain,
    say,
)
from monitor.cli.verbs import Verbs
from monitor.evidence_file import write_evidence
from monitor.finding_text import visible
from monitor.sources.base import UNREAD_NOTICES


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "report",
        help="write an incident as one self-contained HTML page",
        description="Replays a recording and writes one page with the findings, the events that "
        "prove them, every part of each formula, and the responses. The page loads nothing and has "
        "at most 5 MB. Example: interlock report incident.jsonl.gz -o incident.html",
    )
    add_recording(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, help="the page to write")
    parser.add_argument("--title", default="Incident report", help="the title of the page")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page; 1 if the replay differs from the live findings."""
    # The package `replay` imports the monitor; only the command line imports it (decision 0020).
    from replay.compare import compare
    from replay.report.build import Replayed, report_html
    from replay.report.control import read_controls

    with open_timeline(arguments) as (timeline, live):
        comparison = compare(timeline, live.unevaluable)
        coverage = None if timeline.end is None else timeline.end.control
        controls = read_controls(timeline.control_records(), coverage)
        file = Path(arguments.recording).name
        page = report_html(Replayed(timeline, live, comparison, controls, file), arguments.title)
        is_unread = any(notice.kind in UNREAD_NOTICES for notice in timeline.notices)
        has_events = bool(timeline.sessions) or not timeline.is_plain
    write_evidence(arguments.out, page.encode("utf-8", "backslashreplace"))
    say(str(arguments.out))
    if not has_events:
        complain(f"`{visible(arguments.recording)}` contains no event: there is nothing to report")
        return EXIT_USAGE
    if timeline.is_plain and (is_unread or timeline.rejected_count):
        complain("a part of the file could not be read, and was not judged")
        return EXIT_UNJUDGED
    if comparison.is_equal:
        return EXIT_FINE
    complain("the replay differs from the live findings; the page shows where")
    return EXIT_VIOLATIONS
