"""`interlock test`: runs the examples in invariant files, or tests mutants against them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from invariants.check.checked import CheckedSpec
from invariants.formula.format import format_clearly
from invariants.spec.example_text import example_lines
from invariants.spec.model import InvariantSpec
from monitor.authoring.examples import run_examples
from monitor.authoring.files import read_specs
from monitor.authoring.mutation import Hint, Mutation, Survivor, mutate
from monitor.cli.arguments import HELP, Verbs, with_invariants, with_output
from monitor.cli.output import EXIT_FINE, EXIT_VIOLATIONS, coloured, safe, say, say_json
from monitor.presentation import visible


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "test",
        help=HELP["test"],
        description="Runs every example of every invariant through the engine. The events at which "
        "it is violated or inconclusive must be exactly those listed in the example. With "
        "--mutate, every invariant is changed in one place, in many ways, and some example must "
        "fail on each change. For a change that all examples accept, it prints an example that "
        "would fail.",
    )
    with_invariants(parser)
    parser.add_argument("--mutate", action="store_true", help="test mutants against the examples")
    parser.add_argument("--id", help="with --mutate: only this invariant")
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the failures; 1 if an example failed or a mutant survived."""
    specs = read_specs(*arguments.invariants)
    if arguments.mutate:
        return _mutate(specs, arguments.id, arguments.output)
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


# Mutants.


def _mutate(specs: Sequence[CheckedSpec], identity: str | None, output: str) -> int:
    mutations = []
    for spec in specs:
        for invariant in spec.invariants:
            if identity in (None, invariant.id):
                mutations.append(mutate(spec, invariant))
                if output == "text":
                    _say_mutation(mutations[-1])
    killed = sum(mutation.killed_count for mutation in mutations)
    same = sum(mutation.same_count for mutation in mutations)
    survivors = [(m, survivor) for m in mutations for survivor in m.survivors]
    untried = [mutation for mutation in mutations if mutation.problem]
    if output == "json":
        say_json(
            {
                "killed": killed,
                "same": same,
                "survived": [_facts(m, survivor) for m, survivor in survivors],
                "untried": [
                    {"file": m.file, "invariant": m.invariant.id, "problem": m.problem}
                    for m in untried
                ],
                "cut": [m.invariant.id for m in mutations if m.is_cut],
            }
        )
    else:
        more = f", {len(untried)} invariant(s) not tried" if untried else ""
        say(f"{killed} killed, {len(survivors)} survived, {same} with the same meaning{more}")
    return EXIT_FINE if mutations and all(m.is_passed for m in mutations) else EXIT_VIOLATIONS


def _stated(invariant: InvariantSpec) -> str:
    return f"{invariant.form}: {format_clearly(invariant.formula)}"


def _say_mutation(mutation: Mutation) -> None:
    invariant = mutation.invariant
    if mutation.problem:
        word = coloured("not tried", "warning")
        say(f"{mutation.file}:{invariant.place.line}: {word}: {invariant.id}: {mutation.problem}")
    if mutation.is_cut:
        say(
            f"{mutation.file}:{invariant.place.line}: {invariant.id}: it has more mutants than "
            "were tried"
        )
    told: list[Hint] = []
    for survivor in mutation.survivors:
        place = survivor.mutant.place
        word = coloured("survived", "critical")
        where = f"{mutation.file}:{place.line}:{place.column}"
        say(f"{where}: {word}: {invariant.id}: {safe(survivor.mutant.change)}")
        say(f"  {safe(_stated(survivor.mutant.invariant))}")
        for line in _hint_lines(survivor, told):
            say(f"    {safe(line)}")
        if survivor.hint is not None:
            told.append(survivor.hint)


def _hint_lines(survivor: Survivor, told: Sequence[Hint]) -> list[str]:
    hint = survivor.hint
    if hint is None:
        return ["no difference found: perhaps its meaning is the same here"]
    if hint in told:
        return ["an example above detects it too"]
    name = f"detects {survivor.mutant.change}".replace("`", "")
    marks = hint.marks
    return [
        "an example that detects it, if it states what you mean:",
        *example_lines(name, hint.events, marks.violated_at, marks.inconclusive_at),
    ]


def _facts(mutation: Mutation, survivor: Survivor) -> dict[str, Any]:
    mutant, hint = survivor.mutant, survivor.hint
    return {
        "file": mutation.file,
        "line": mutant.place.line,
        "column": mutant.place.column,
        "invariant": mutation.invariant.id,
        "change": mutant.change,
        "mutant": _stated(mutant.invariant),
        "example": None
        if hint is None
        else {
            "events": list(hint.events),
            "violated_at": sorted(hint.marks.violated_at),
            "inconclusive_at": sorted(hint.marks.inconclusive_at),
        },
    }
