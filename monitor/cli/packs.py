"""`interlock packs`: the invariants that ship with Interlock."""

from __future__ import annotations

import argparse

from invariants.spec.model import InvariantSpec
from monitor.authoring.files import read_specs
from monitor.authoring.packs import Pack, all_packs, find_pack
from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.output import EXIT_FINE, say, say_json


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "packs",
        help=HELP["packs"],
        description="Packs are invariant files that ship with Interlock. Use them like any "
        "invariant file: `--invariants pack:shell`, or `pack:default` for those that are on by "
        "default. To adapt one: `interlock packs show shell > shell.yaml`.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    lister = actions.add_parser("list", help="list every pack and its invariants")
    with_output(lister)
    lister.set_defaults(run=_list)
    show = actions.add_parser("show", help="print a pack")
    show.add_argument("name", help="the name of a pack")
    show.set_defaults(run=_show)


def _list(arguments: argparse.Namespace) -> int:
    packs = all_packs()
    if arguments.output == "json":
        say_json([_facts(pack) for pack in packs])
        return EXIT_FINE
    for pack in packs:
        say(f"{pack.name:<12} {'on' if pack.is_default else 'off':<4} {pack.title}")
        for invariant in _invariants(pack):
            say(f"  {invariant.severity:<9} {invariant.id}: {invariant.summary}")
    return EXIT_FINE


def _facts(pack: Pack) -> dict[str, object]:
    return {
        "name": pack.name,
        "title": pack.title,
        "is_default": pack.is_default,
        "invariants": [
            {"id": i.id, "severity": i.severity, "summary": i.summary} for i in _invariants(pack)
        ],
    }


def _invariants(pack: Pack) -> list[InvariantSpec]:
    return [invariant for spec in read_specs(pack.path) for invariant in spec.invariants]


def _show(arguments: argparse.Namespace) -> int:
    say(find_pack(arguments.name).path.read_text(encoding="utf-8").rstrip("\n"))
    return EXIT_FINE
