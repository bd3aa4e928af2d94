"""`interlock rules`: alerts for Prometheus out of invariants."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError
from monitor.authoring.alert_rules import rule_file, test_file
from monitor.authoring.files import read_specs
from monitor.cli.arguments import HELP, Verbs
from monitor.cli.output import EXIT_FINE, say

RECORDING: Final = Path(__file__).parents[1] / "rules" / "recording.yml"


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "rules",
        help=HELP["rules"],
        description="Prints a file of Prometheus rules: an alert for each enabled invariant, with "
        "its severity, owner, summary and runbook. It stands beside the rules that ship with "
        "Interlock. Example: interlock rules invariants > interlock-invariants.yml",
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a file, a folder, or pack:NAME"
    )
    parser.add_argument(
        "--tests-of",
        metavar="RULES",
        default="",
        help="print tests for `promtool test rules` instead, of this file of rules",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the rules, or their tests."""
    invariants = [
        invariant
        for spec in read_specs(*arguments.files)
        for invariant in spec.invariants
        if invariant.is_enabled
    ]
    if not invariants:
        raise ConfigError("no invariant of these files is enabled, so there is nothing to alert of")
    if arguments.tests_of:
        rules = str(Path(arguments.tests_of).absolute())
        say(test_file(invariants, [str(RECORDING), rules]).rstrip("\n"))
    else:
        say(rule_file(invariants).rstrip("\n"))
    return EXIT_FINE
