"""`interlock report`: a recording as one page that shows what happened, and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs
from monitor.cli.output import EXIT_FINE, EXIT_UNJUDGED, EXIT_USAGE, EXIT_VIOLATIONS, complain, say
from monitor.cli.replay_arguments import add_recording, open_timeline
from monitor.evidence_file import write_evidence
from monitor.findings.incident import incident_of
from monitor.findings.model import Finding
from monitor.presentation import visible
from monitor.transport.base import UNREAD_NOTICES


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "report",
        help=HELP["report"],
        description="Replays a recording and writes one page with the findings, the events that "
        "prove them, every part of each formula, and the responses. The page loads nothing and has "
        "at most 5 MB. Example: interlock report incident.jsonl.gz -o incident.html",
    )
    add_recording(parser)
    parser.add_argument(
        "--incident",
        default="",
        metavar="ID",
        help="only the session of this incident (i-...) or finding (f-...)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="the page to write")
    parser.add_argument("--title", default="Incident report", help="the title of the page")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page; 1 if the replay differs from the live findings."""
    # The package `replay` imports the monitor; only the command line imports it (decision 0020).
    from replay.compare.findings import compare
    from replay.report.build import Replayed, report_html
    from replay.report.control import read_controls

    if arguments.incident:
        arguments.session = _session_of(arguments)
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


def _session_of(arguments: argparse.Namespace) -> str:
    """The session of an incident or finding, which the recording is played once to find.

    Raises
    ------
    ConfigError
        No finding of the replay, and no recorded live one, has this id.
    """
    asked = arguments.incident
    for finding in _findings(arguments):
        if asked in (finding.id, incident_of(finding.id)):
            return str(finding.trace)
    raise ConfigError(
        f"no finding of the recording has the ID `{visible(asked, 80)}`; `interlock replay` lists "
        "findings (f-...), and an incident's ID begins with i-"
    )


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    from replay.compare.published import read_finding

    with open_timeline(arguments) as (timeline, _):
        for told in timeline.findings():
            yield told.finding
        for content in timeline.live_findings():
            finding = read_finding(content)
            if finding is not None:  # The page counts the unreadable ones.
                yield finding
