"""`interlock explain`: a finding or an invariant, as text for the responsible person."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from invariants.check.checked import CheckedSpec
from invariants.check.normal_form import free_variables, trigger, violating_formula
from invariants.compile.lower import build_tables
from invariants.formula.durations import format_duration
from invariants.formula.format import format_formula
from invariants.image.make import image_of
from invariants.image.text import plan_of
from invariants.model.limits import DEFAULT_LIMITS
from invariants.spec.model import InvariantSpec
from monitor.authoring.files import read_specs
from monitor.cli.arguments import HELP, Verbs, paths, with_output, with_state_dir
from monitor.cli.findings import NotFoundError, as_json, find, open_store
from monitor.cli.output import EXIT_FINE, safe, say, say_json
from monitor.presentation import page


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "explain",
        help=HELP["explain"],
        description="With the id of a finding (or its beginning): the finding, the events that "
        "prove it, and the responses. With the id of an invariant and its files: its meaning. "
        "Example: interlock explain f-3b467d --state-dir interlock-state",
    )
    parser.add_argument("subject", help="the id of a finding (`f-...`) or of an invariant")
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="a file, a folder, or pack:NAME"
    )
    parser.add_argument(
        "--invariants", type=paths, default=(), help="the same, separated by commas"
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="of an invariant: the numbered nodes and operators that the engine steps by",
    )
    with_state_dir(parser)
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explain the subject."""
    locations = (*arguments.files, *arguments.invariants)
    specs = read_specs(*locations) if locations else []
    owners = {i.id: (spec, i) for spec in specs for i in spec.invariants}
    if arguments.plan:
        return _show_plan(specs, arguments.subject, arguments.output)
    if arguments.subject in owners:
        return _explain_invariant(*owners[arguments.subject], arguments.output)
    if not arguments.subject.startswith(("f-", "i-")):
        raise NotFoundError(
            f"`{arguments.subject[:60]}` is neither a finding nor an invariant of the given files; "
            "findings begin with `f-`, incidents with `i-`"
        )
    with closing(open_store(arguments.state_dir)) as store:
        stored = find(store, arguments.subject)
        actions = store.actions_of(stored.finding.id)
    finding = stored.finding
    invariant = owners.get(finding.invariant)
    if arguments.output == "json":
        content = as_json(stored)
        content["actions"] = [msgspec.to_builtins(a.action) for a in actions]
        if invariant is not None:
            content["explanation"] = _facts(*invariant)
        say_json(content)
        return EXIT_FINE
    for text in page(finding, actions):
        say(text)
    if invariant is not None:
        say("  the invariant:")
        for text in _lines(*invariant):
            say(f"    {text}")
    say(f"  more: interlock findings list --session {finding.session!r}")
    return EXIT_FINE


def _show_plan(specs: Sequence[CheckedSpec], id_: str, output: str) -> int:
    """The plan of an invariant, as the engine loads it."""
    image = image_of(specs)
    found = [one for scope in image.scopes for one in scope.invariants if one.declared.id == id_]
    if not found:
        raise NotFoundError(
            f"`{id_[:60]}` is not an enabled invariant of the given files; `--plan` is about one: "
            "interlock explain ID FILE --plan"
        )
    if output == "json":
        say_json(msgspec.to_builtins(found[0]))
    for text in [] if output == "json" else plan_of(image, found[0]):
        say(text)
    return EXIT_FINE


def _explain_invariant(spec: CheckedSpec, invariant: InvariantSpec, output: str) -> int:
    if output == "json":
        say_json(_facts(spec, invariant))
    else:
        for text in _lines(spec, invariant):
            say(text)
    return EXIT_FINE


def _facts(spec: CheckedSpec, invariant: InvariantSpec) -> dict[str, Any]:
    """The static facts about an invariant."""
    violating = violating_formula(invariant)
    tables = build_tables(invariant, DEFAULT_LIMITS)
    asked = trigger(violating)
    waits = tables.future
    high_ns = waits.window.high_ns if waits is not None else None
    return {
        "id": invariant.id,
        "file": spec.file,
        "summary": invariant.summary,
        "description": invariant.about.description,
        "tags": list(invariant.about.tags),
        "owner": invariant.about.owner,
        "references": list(invariant.about.references),
        "enabled": invariant.is_enabled,
        "severity": invariant.severity,
        "per": invariant.per,
        "mode": invariant.mode,
        "respond": list(invariant.respond),
        "on_unknown": invariant.on_unknown,
        "formula": f"{invariant.form}: {format_formula(invariant.formula)}",
        "violating": format_formula(violating),
        "trigger": None if asked is None else format_formula(asked),
        "variables": sorted(free_variables(violating)),
        "waits_for": None if waits is None else waits.text,
        "waits_at_most": None if high_ns is None else format_duration(high_ns),
        "memories": [memory.text for memory in tables.memories],
        "predicates": {p.name: p.when.text for p in spec.predicates if p.name in tables.predicates},
        "examples": [example.name for example in invariant.examples],
    }


def _lines(spec: CheckedSpec, invariant: InvariantSpec) -> list[str]:
    facts = _facts(spec, invariant)
    lines = [f"{facts['id']} ({facts['severity']}, mode {facts['mode']}): {facts['summary']}"]
    lines += _about_lines(facts)
    lines.append(f"  written     {facts['formula']}")
    lines.append(f"  violated    where this is true: {facts['violating']}")
    lines.append(f"  judged      {_judged(facts['trigger'])}")
    lines.append(f"  of all      events of one {facts['per']}")
    if facts["variables"]:
        lines.append(f"  for each    {', '.join(facts['variables'])} in such an event")
    if facts["waits_for"]:
        until = facts["waits_at_most"]
        limit = f"within {until}" if until else "until the session ends"
        lines.append(f"  waits       for {facts['waits_for']}, {limit}")
    lines += [f"  remembers   {text}" for text in facts["memories"]]
    lines.append(f"  if unknown  {_unknown(facts['on_unknown'])}")
    lines.append(f"  then        {', '.join(facts['respond'])}")
    lines.append("  predicates")
    lines += [f"    {name}: {when}" for name, when in facts["predicates"].items()]
    lines += [f"  example     {name}" for name in facts["examples"]]
    return lines


def _about_lines(facts: dict[str, Any]) -> list[str]:
    lines = [f"  {safe(text)}" for text in facts["description"].splitlines() if text.strip()]
    if not facts["enabled"]:
        lines.append("  not run     `enabled: false`")
    if facts["owner"]:
        lines.append(f"  owner       {facts['owner']}")
    if facts["tags"]:
        lines.append(f"  tags        {', '.join(facts['tags'])}")
    return lines + [f"  see         {text}" for text in facts["references"]]


def _judged(asked: str | None) -> str:
    return "at every event" if asked is None else f"at events where {asked}"


def _unknown(on_unknown: str) -> str:
    if on_unknown == "violate":
        return "an unknown result counts as violated"
    return "an unknown result is reported as inconclusive"
