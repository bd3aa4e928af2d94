"""`interlock report`: a recording as one page that tells what happened, and why."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from invariants.errors import ConfigError
from monitor.cli.screen import EXIT_FINE, EXIT_VIOLATIONS, complain, say
from monitor.cli.verbs import Verbs
from monitor.finding_text import visible
from monitor.log import configure_log
from monitor.secret import read_secret


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "report",
        help="write an incident as one self-contained HTML page",
        description="Replays a recording and writes one page: what happened, which events prove "
        "it, every part of each formula, and what was done. The page has no script and loads "
        "nothing. Example: interlock report incident.jsonl.gz -o incident.html",
    )
    parser.add_argument("recording", help="a recording, or a plain .jsonl or .jsonl.gz of events")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the page to write")
    parser.add_argument(
        "--invariants",
        type=Path,
        help="a file or folder; else those of the recording, else the default packs",
    )
    parser.add_argument("--session", default="", help="this session only")
    parser.add_argument("--title", default="Incident report", help="what stands at its head")
    parser.add_argument(
        "--digest-key-file", help="the live monitor's key of `digest(...)` (its digest.key)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page; 1 where the replay differs from what was found live."""
    # The replay room stands above the monitor; the command line alone reaches up (decision 0020).
    from replay.compare import compare
    from replay.live_program import find_program
    from replay.reading import RecordedFile
    from replay.report.build import Replayed, build_page
    from replay.report.control import control_records
    from replay.report.render import render
    from replay.timeline import Timeline

    configure_log("warning", "auto")
    key_file = arguments.digest_key_file
    key = read_secret("digest_key_file", key_file).reveal() if key_file else None
    with closing(RecordedFile(arguments.recording)) as file:
        live = find_program(file.header, arguments.invariants, key)
        timeline = Timeline(file, live.program, arguments.session)
    with closing(timeline):
        if arguments.session and arguments.session not in timeline.sessions:
            raise ConfigError(f"no event of `{visible(arguments.session, 80)}` is in the recording")
        comparison = compare(timeline, live.unevaluable)
        controls = control_records(timeline.control_records())
        replayed = Replayed(timeline, live, comparison, controls, lambda session: ())
        page = render(build_page(replayed, arguments.title))
    try:
        arguments.out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"`{arguments.out}` cannot be written: {error.strerror}") from None
    say(str(arguments.out))
    if comparison.is_equal:
        return EXIT_FINE
    complain("the replay differs from what was found live; the page says where")
    return EXIT_VIOLATIONS
