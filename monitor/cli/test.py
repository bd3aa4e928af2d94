"""`interlock test`: run the examples that are written into invariant files."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from monitor.cli.screen import EXIT_FINE, EXIT_VIOLATIONS, coloured, say, say_json
from monitor.cli.verbs import Verbs, with_output
from monitor.finding_text import visible
from monitor.invariant_files import read_specs
from monitor.spec_tests import run_examples


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "test",
        help="run the examples inside invariant files",
        description="Runs every example of every invariant through the engine. The events at "
        "which it is violated or inconclusive must be exactly those that the example names.",
    )
    parser.add_argument("invariants", type=Path, help="a file, or a folder of *.yaml files")
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what failed; 1 where an example did, or where there is none to run."""
    specs = read_specs(arguments.invariants)
    results = run_examples(specs)
    failed = [result for result in results if not result.is_passed]
    if arguments.output == "json":
        say_json({"passed": len(results) - len(failed), "failed": [asdict(r) for r in failed]})
    else:
        for result in failed:
            word = coloured("failed", "critical")
            say(
                f"{result.file}:{result.line}: {word}: {result.invariant}: "
                f"{visible(result.example)}: {result.problem}"
            )
        bare = [i.id for spec in specs for i in spec.invariants if not i.examples]
        if bare:
            say(f"no example: {', '.join(bare)}")
        say(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return EXIT_VIOLATIONS if failed else EXIT_FINE
