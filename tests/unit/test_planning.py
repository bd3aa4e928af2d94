"""Plans of invented tools: found by the truth of a few parts, and the same as if found anew."""

from __future__ import annotations

from random import Random

from invariants.cel.fold import KindAndTool
from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.fact import NO_FACT, Fact
from monitor.authoring.files import default_pack_specs

KINDS = ("tool.requested", "tool.completed", "tool.failed", "session.started", "message.user")
WORDS = ("send", "mail", "delete", "run", "shell", "powershell", "read", "file", "pay", "status")
OWN = """\
version: 1
predicates:
  long_name: {when: kind == "tool.requested", with: {one: tool, other: tool + tool}}
  named: {when: 'tool == "a" || tool == "b" && kind == "tool.failed"', with: {tool: tool}}
  chosen: 'tool == "a" ? kind == "tool.failed" : size(tool) > 3'
  failing: 'size(tool) / (size(tool) - 4) == 5 || args.x == tool'
invariants:
  - {id: i, severity: info, never: long_name and named and not chosen and failing}
"""


def names(random: Random) -> str:
    separator = random.choice(("_", "-", "", "__"))
    name = separator.join(random.choice(WORDS) for _ in range(random.randrange(4)))
    return random.choice((name, name, name, "a", "b", "five5", "x" * 400, name.upper()))


def test_plans_are_those_found_anew() -> None:
    """Settled facts and open predicates, for tools whose parts were met before and others."""
    random = Random(1)
    for specs in (default_pack_specs(), read_specs([("own.yaml", OWN)])[0]):
        program = compile_program(specs).session
        planner = program._planner
        for _ in range(400):
            kind, tool = random.choice(KINDS), names(random)
            plan = program.plan(kind, tool)
            live = dict(plan.shape.live)
            for number, predicate in enumerate(planner._predicates):
                expected = predicate.planned(KindAndTool(kind, tool))
                if isinstance(expected, Fact):
                    assert plan.settled[number] == expected, (kind, tool, predicate.name)
                    assert number not in live, (kind, tool, predicate.name)
                else:
                    assert plan.settled[number] is NO_FACT, (kind, tool, predicate.name)
                    assert live[number] == expected, (kind, tool, predicate.name)
        assert len(planner._decided) < 100


def test_what_is_decided_is_bounded() -> None:
    """Agents choose kinds too."""
    program = compile_program(read_specs([("own.yaml", OWN)])[0]).session
    for number in range(5_000):
        program.plan(f"kind-{number}", "a")
    assert 0 < len(program._planner._decided) <= 4_096
