"""`interlock graph`: an invariant as a drawing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from invariants.analysis.event_domain import asked_by_predicates
from invariants.analysis.explicit_automaton import STATES_MAX, explicit_automaton
from invariants.check.checked import CheckedSpec
from invariants.drawing.dot import dot
from invariants.drawing.mermaid import mermaid
from invariants.drawing.network import picture_of_network
from invariants.drawing.of_automaton import picture_of_automaton
from invariants.drawing.picture import Picture
from invariants.drawing.svg import svg
from invariants.model.errors import ConfigError
from invariants.spec.model import InvariantSpec
from monitor.authoring.files import read_specs
from monitor.cli.arguments import HELP, Verbs, whole_number
from monitor.cli.findings import NotFoundError
from monitor.cli.output import EXIT_FINE, say

FORMATS: Final[dict[str, Callable[[Picture], str]]] = {"mermaid": mermaid, "dot": dot, "svg": svg}
SUFFIXES: Final = {".mmd": "mermaid", ".dot": "dot", ".gv": "dot", ".svg": "svg"}
KNOWN_SHOWN_MAX: Final = 20


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "graph",
        help=HELP["graph"],
        description="Draws an invariant without variables, windows and aggregates as its smallest "
        "automaton, and any other as the network of its sub-formulas, each with its memory. "
        "Example: interlock graph no-secret-egress rules/ -o egress.svg",
    )
    parser.add_argument("invariant", metavar="ID", help="the id of an invariant")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a file, a folder, or pack:NAME"
    )
    parser.add_argument(
        "--format", choices=tuple(FORMATS), help="by default from the suffix of OUT, else mermaid"
    )
    parser.add_argument("-o", "--out", type=Path, help="the file to write, instead of printing")
    parser.add_argument(
        "--as",
        dest="shape",
        choices=("automaton", "network"),
        help="the shape to draw; by default an automaton if there is one",
    )
    parser.add_argument(
        "--states-max",
        type=whole_number(1),
        default=STATES_MAX,
        help=f"the maximum number of states of an automaton ({STATES_MAX})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the invariant."""
    spec, invariant = _find(arguments.invariant, arguments.files)
    picture = _picture(spec, invariant, arguments.shape, arguments.states_max)
    suffix = arguments.out.suffix if arguments.out else ""
    text = FORMATS[arguments.format or SUFFIXES.get(suffix, "mermaid")](picture)
    if arguments.out is None:
        sys.stdout.write(text)
        return EXIT_FINE
    try:
        arguments.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"`{arguments.out}` cannot be written: {error.strerror}") from None
    say(str(arguments.out))
    return EXIT_FINE


def _find(identity: str, files: list[Path]) -> tuple[CheckedSpec, InvariantSpec]:
    known = [(spec, i) for spec in read_specs(*files) for i in spec.invariants]
    for spec, invariant in known:
        if invariant.id == identity:
            return spec, invariant
    names = [f"`{invariant.id}`" for _, invariant in known]
    shown = ", ".join(names[:KNOWN_SHOWN_MAX]) + (", ..." if len(names) > KNOWN_SHOWN_MAX else "")
    raise NotFoundError(f"these files have no invariant `{identity[:60]}`; known: {shown}")


def _picture(
    spec: CheckedSpec, invariant: InvariantSpec, shape: str | None, states_max: int
) -> Picture:
    if shape != "network":
        automaton = explicit_automaton(invariant, states_max, asked_by_predicates(spec))
        if automaton is not None:
            return picture_of_automaton(spec, invariant, automaton)
    if shape == "automaton":
        raise ConfigError(
            f"`{invariant.id}` has no automaton of at most {states_max} states: only invariants "
            "without variables, windows and aggregates have one; use `--as network`"
        )
    return picture_of_network(spec, invariant)
