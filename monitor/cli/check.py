"""`interlock check`: every fault of every invariant file at once, and what can be known of them."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from invariants.spec import Spec
from monitor.cli.screen import EXIT_FINE, EXIT_USAGE, EXIT_VIOLATIONS, safe, say, say_json
from monitor.cli.verbs import Verbs, with_invariants, with_output
from monitor.invariant_files import examine


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "check",
        help="find every fault in invariant files",
        description="Reads invariant files and prints every fault of every file: where, what was "
        "met, what was expected, how to mend it. Exit code 2 where there is an error; with --deep "
        "1 where an invariant can never be violated, is never satisfied, or contradicts another.",
    )
    with_invariants(parser)
    parser.add_argument(
        "--deep", action="store_true", help="say what violates each, and which two belong together"
    )
    parser.add_argument(
        "--bounds", action="store_true", help="say how much each part may hold of one session"
    )
    parser.add_argument(
        "--recording", help="name fields that predicates read and none of its events carries"
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the faults; 0 where there is no error (warnings may be there)."""
    specs, faults = examine(*arguments.invariants)
    errors = [fault for fault in faults if fault.severity == "error"]
    invariants_count = sum(len(spec.invariants) for spec in specs)
    lines, more, is_mistaken = ([], {}, False) if errors else _more(arguments, specs)
    if arguments.output == "json":
        say_json({"faults": [asdict(f) for f in faults], "invariants": invariants_count, **more})
    else:
        for fault in faults:
            say(str(fault))
        for line in lines:
            say(safe(line))
        warnings_count = len(faults) - len(errors)
        read = f"{invariants_count} invariant(s) in {len(specs)} file(s): " if not errors else ""
        say(f"{read}{len(errors)} error(s), {warnings_count} warning(s)")
    if errors:
        return EXIT_USAGE
    return EXIT_VIOLATIONS if is_mistaken else EXIT_FINE


def _more(
    arguments: argparse.Namespace, specs: list[Spec]
) -> tuple[list[str], dict[str, Any], bool]:
    """What the options ask for: lines, records by option, and whether there is a mistake."""
    # Analysis is asked for seldom: other calls do not wait for it.
    from monitor.cli.deep import bounds_report, deep_report, recording_report

    lines: list[str] = []
    records: dict[str, Any] = {}
    is_mistaken = False
    if arguments.deep:
        told, records["deep"], is_mistaken = deep_report(specs)
        lines += told
    if arguments.bounds:
        told, bounds = bounds_report(specs)
        records["bounds"] = [asdict(bound) for bound in bounds]
        lines += told
    if arguments.recording is not None:
        told, records["recording"] = recording_report(specs, arguments.recording)
        lines += told
    return lines, records, is_mistaken
