"""`interlock check`: every fault of every invariant file at once."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from monitor.cli.screen import EXIT_FINE, EXIT_USAGE, say, say_json
from monitor.cli.verbs import Verbs, with_output
from monitor.invariant_files import examine


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "check",
        help="find every fault in invariant files",
        description="Reads invariant files and prints every fault of every file: where, what was "
        "met, what was expected, how to mend it. Exit code 2 where there is an error.",
    )
    parser.add_argument("invariants", type=Path, help="a file, or a folder of *.yaml files")
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the faults; 0 where there is no error (warnings may be there)."""
    specs, faults = examine(arguments.invariants)
    errors = [fault for fault in faults if fault.severity == "error"]
    invariants_count = sum(len(spec.invariants) for spec in specs)
    if arguments.output == "json":
        say_json({"faults": [asdict(f) for f in faults], "invariants": invariants_count})
    else:
        for fault in faults:
            say(str(fault))
        warnings_count = len(faults) - len(errors)
        read = f"{invariants_count} invariant(s) in {len(specs)} file(s): " if not errors else ""
        say(f"{read}{len(errors)} error(s), {warnings_count} warning(s)")
    return EXIT_USAGE if errors else EXIT_FINE
