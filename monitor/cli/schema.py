"""`interlock schema`: JSON Schema of events and of invariant files, for editors and producers."""

from __future__ import annotations

import argparse

from invariants.spec.json_schema import event_schema, invariant_file_schema
from monitor.cli.arguments import HELP, Verbs
from monitor.cli.output import EXIT_FINE, say_json


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser("schema", help=HELP["schema"])
    parser.add_argument("schema", choices=("event", "invariants"), help="the schema to print")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    say_json(event_schema() if arguments.schema == "event" else invariant_file_schema())
    return EXIT_FINE
