"""A finding as it is explained: what each event was for, and what ended what had held."""

from __future__ import annotations

from typing import Any

import msgspec

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.presentation import page
from tests.support.shelf import Shelf

TEXT = """\
version: 1
predicates:
  payment:
    when: kind == "tool.requested"
    with:
      to: args.to
  approved:
    when: kind == "approval.granted"
    with:
      to: args.to
  revoked:
    when: kind == "approval.denied"
    with:
      to: args.to
  secret: kind == "tool.completed"
  failed: kind == "tool.failed"
invariants:
  - id: approval
    severity: warning
    always: payment(to=x) implies ((not revoked(to=x)) since[10m] approved(to=x))
  - {id: leak, severity: warning, never: payment and once secret}
  - {id: retries, severity: warning, never: "failed and count(failed)[1m] > 2"}
  - {id: calm, severity: warning, never: payment and not ((not failed) since secret)}
"""
SETTINGS = KernelSettings(trust_ts=True)


def explained(*events: tuple[str, str], is_restarted: bool = False) -> dict[str, list[str]]:
    """The last lines of each finding's page that say why, by invariant."""
    program, shelf = compile_program(read_specs([("why.yaml", TEXT)])[0]), Shelf()
    engine = Kernel(program, SETTINGS, shelf.load)
    findings: list[Finding] = []
    for seq, (kind, to) in enumerate(events):
        content: dict[str, Any] = {"session": "s", "seq": seq, "ts": seq, "kind": kind}
        content |= {"tool": "pay", "args": {"to": to}}
        event = decode_event(msgspec.json.encode(content), Origin("t", "0", seq))
        assert isinstance(event, Event)
        findings += engine.step(event)
        if is_restarted:
            shelf.keep(*engine.take_changes())
            engine = Kernel(program, SETTINGS, shelf.load)
    return {f.invariant: _why(page(f, ())) for f in findings}


def _why(lines: list[str]) -> list[str]:
    begin = next(n for n, line in enumerate(lines) if line.startswith("  because"))
    return [line.split("Z  ")[-1].strip() for line in lines[begin + 1 :]]


def test_an_approval_that_was_taken_back() -> None:
    """The event that ended it is named; so it is after a restart."""
    events = (("approval.granted", "bob"), ("approval.denied", "bob"), ("tool.requested", "bob"))
    for is_restarted in (False, True):
        first, heading, absent, ended = explained(*events, is_restarted=is_restarted)["approval"]
        assert first == "event 2 (s/2): payment"
        assert heading == "and because there was none of these:"
        assert absent.startswith("not revoked(to=x) since[10m] approved(to=x), from ")
        assert ended == "it had held until event 1 (s/1) ended it"


def test_an_approval_that_never_was_or_was_given_again() -> None:
    """Another's revocation ended nothing, and what came back was not ended."""
    never = explained(("approval.denied", "bob"), ("tool.requested", "bob"))["approval"]
    assert not any("ended" in line for line in never)
    again = [("approval.granted", "bob"), ("approval.denied", "bob")] * 2
    events = [*again, ("approval.granted", "bob"), ("tool.requested", "eve")]
    assert not any("ended" in line for line in explained(*events)["approval"])
    assert "approval" not in explained(*events[:-1], ("tool.requested", "bob"))


def test_without_variables_it_is_the_same() -> None:
    """One slice for all."""
    events = (("tool.completed", ""), ("tool.failed", ""), ("tool.requested", "bob"))
    assert explained(*events)["calm"][-1] == "it had held until event 1 (s/1) ended it"


def test_each_event_says_what_it_was_for() -> None:
    """The operand that it made true, or the predicates of the event at hand."""
    told = explained(("tool.completed", "a"), ("tool.requested", "a"))
    assert told["leak"] == ["event 0 (s/0): secret", "event 1 (s/1): payment"]
    told = explained(*[("tool.failed", "a")] * 3)
    assert told["retries"] == [f"event {n} (s/{n}): failed" for n in range(3)]
