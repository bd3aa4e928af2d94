"""`interlock check`: every fault of every invariant file at once, and static analysis."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import msgspec

from invariants.check.checked import CheckedSpec
from monitor.authoring.files import examine
from monitor.cli.arguments import HELP, Verbs, with_invariants, with_output
from monitor.cli.output import EXIT_FINE, EXIT_USAGE, EXIT_VIOLATIONS, safe, say, say_json


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "check",
        help=HELP["check"],
        description="Reads invariant files and prints every fault of every file, with its place, "
        "the cause and a correction. Exit code 2 if there is an error. With --deep, exit code 1 "
        "if an invariant can never be violated, is never satisfied, or contradicts another.",
    )
    with_invariants(parser)
    parser.add_argument(
        "--deep", action="store_true", help="show how each can be violated, and compare pairs"
    )
    parser.add_argument(
        "--bounds", action="store_true", help="show how much each part may hold of one session"
    )
    parser.add_argument(
        "--recording", help="list fields that predicates read and no event of the recording has"
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the faults; 0 if there is no error (there may be warnings)."""
    specs, faults = examine(*arguments.invariants)
    errors = [fault for fault in faults if fault.severity == "error"]
    invariants_count = sum(len(spec.invariants) for spec in specs)
    lines, more, is_mistaken = ([], {}, False) if errors else _more(arguments, specs)
    if arguments.output == "json":
        say_json({"faults": msgspec.to_builtins(faults), "invariants": invariants_count, **more})
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
    arguments: argparse.Namespace, specs: list[CheckedSpec]
) -> tuple[list[str], dict[str, Any], bool]:
    """The output of the options: lines, records by option, and True if there is a mistake."""
    # Analysis is rarely used: other calls do not wait for its import.
    from monitor.cli.check_deep import bounds_report, deep_report, recording_report

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
