"""What people should know of an invariant, and invariants that are switched off."""

from __future__ import annotations

import msgspec

from interlock.limits import stated_time
from invariants.check.checked import CheckedSpec
from invariants.check.specs import read_specs
from invariants.compile.digest import invariant_digest
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.authoring.examples import run_examples
from monitor.findings.grouping import grouped, members_of
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.presentation import page

FILE = """\
version: 1
predicates:
  fails: kind == "tool.failed" && tool == "a"
  doubted: kind == "tool.failed" && args.x == 1
invariants:
  - id: one
    severity: warning
    ABOUT
    never: fails
    examples:
      - events: [{kind: tool.failed, tool: a}]
        violated_at: [0]
  - id: other
    severity: warning
    tags: [b]
    never: doubted
  - id: third
    severity: critical
    on_unknown: report
    owner: team-c
    description: Of the third.
    never: doubted
"""
ABOUT = (
    'description: "First \\u001b[2J line.\\n\\nSecond.", tags: [t1, t2], owner: team-x, '
    "references: [https://a.example/b]"
)


def _spec(about: str = ABOUT) -> CheckedSpec:
    lines = about.replace(", tags:", "\n    tags:").replace(", owner:", "\n    owner:")
    lines = lines.replace(", references:", "\n    references:")
    (spec,), _ = read_specs([("about.yaml", FILE.replace("ABOUT", lines))])
    return spec


def _findings(program: Program) -> list[Finding]:
    content = {"session": "s", "seq": 0, "ts": stated_time(1), "kind": "tool.failed", "tool": "a"}
    event = decode_event(msgspec.json.encode(content), Origin("t", "0", 0))
    assert isinstance(event, Event)
    return Kernel(program, KernelSettings(trust_ts=True)).step(event)


def test_a_finding_says_who_answers_and_what_to_read() -> None:
    """All of it is in the finding, and in its text, without what a terminal would obey."""
    (finding,) = [f for f in _findings(compile_program([_spec()])) if f.type == "violated"]
    assert finding.description == "First \x1b[2J line.\n\nSecond."
    assert (finding.tags, finding.owner) == (["t1", "t2"], "team-x")
    assert finding.references == ["https://a.example/b"]
    again = msgspec.json.decode(msgspec.json.encode(finding), type=Finding)
    assert again == finding
    told = page(finding, [])
    assert told[1:6] == [
        "  First \\x1b[2J line.",
        "  Second.",
        "  owner      team-x",
        "  tags       t1, t2",
        "  see        https://a.example/b",
    ]


def test_it_changes_no_digest() -> None:
    """Memory is kept, and findings keep their ids, when a description is improved."""
    plain = _spec("mode: observe")
    digests = {
        invariant_digest(spec, spec.invariants[0])
        for spec in (plain, _spec(), _spec("enabled: true"))
    }
    assert len(digests) == 1


def test_a_member_of_a_group_keeps_its_own() -> None:
    """One doubt about two invariants: neither is told with the other's owner or description."""
    (group,) = grouped([f for f in _findings(compile_program([_spec()])) if f.undecided or f.group])
    assert (group.invariant, group.owner) == ("third", "team-c")
    assert [(m.invariant, m.owner, m.tags, m.description) for m in members_of(group)] == [
        ("third", "team-c", [], "Of the third."),
        ("other", "", ["b"], ""),
    ]


def test_what_is_switched_off_is_not_run() -> None:
    """It has no finding and no place in the program; its examples are run all the same."""
    spec = _spec("enabled: false")
    program = compile_program([spec])
    assert [compiled.declared.id for compiled in program.invariants] == ["other", "third"]
    assert "one" not in {finding.invariant for finding in _findings(program)}
    assert [result.is_passed for result in run_examples([spec])] == [True]
    assert [fault.code for fault in program.warnings] == ["W507"]
