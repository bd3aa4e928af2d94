"""One doubt is one finding, whichever invariants it leaves undecided, and stops do not change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.authoring.files import read_specs as read_pack
from monitor.authoring.packs import find_pack
from monitor.findings.grouping import Groups, members_of
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.presentation import line, page
from monitor.response.plan import ResponsePolicy, plan
from monitor.store.records import Change, FindingFilter
from monitor.store.store import Store
from tests.support.rim import SECOND_NS, START_NS, HandClock

HEAD = """\
version: 1
predicates:
  pay: kind == "pay"
  large: kind == "pay" && args.amount > 10
  far: kind == "pay" && args.country != "here"
  answered: kind == "answered"
invariants:
"""
LARGE = "  - {id: large, severity: warning, never: large}\n"
FAR = """\
  - {id: far, severity: critical, on_unknown: report, owner: payments, never: far}
"""
LATER = "  - {id: later, severity: critical, on_unknown: report, never: answered and once far}\n"
BACKGROUND = "  - {id: background, severity: info, never: large}\n"
STOPS = """\
  - id: stops
    severity: critical
    on_unknown: violate
    mode: enforce
    respond: [quarantine]
    never: large
"""
WARNS = """\
  - {id: warns, severity: warning, on_unknown: violate, respond: [alert], never: far}
"""


def program(*invariants: str) -> Program:
    specs, _ = read_specs([("x.yaml", HEAD + "".join(invariants))])
    return compile_program(specs)


def event(number: int, kind: str, args: dict[str, object] | None = None) -> Event:
    content = {"session": "s", "seq": number, "ts": START_NS + number * SECOND_NS, "kind": kind}
    content |= {} if args is None else {"args": args}
    made = decode_event(msgspec.json.encode(content), Origin("t", "0", number))
    assert isinstance(made, Event)
    return made


UNREADABLE = (event(0, "pay"),)


def verdicts(events: Sequence[Event], *invariants: str) -> list[list[Finding]]:
    """What the engine finds at each event."""
    engine = Kernel(program(*invariants), KernelSettings(trust_ts=True))
    return [engine.step(one) for one in events]


def told(events: Sequence[Event], *invariants: str) -> list[Finding]:
    groups = Groups()
    return [f for found in verdicts(events, *invariants) for f in groups.take(found)]


def test_one_doubt_is_told_once_with_every_invariant() -> None:
    """The severity is the highest, and each invariant stands with its digest and its doubt."""
    (finding,) = told(UNREADABLE, LARGE, FAR)
    assert (finding.type, finding.severity, finding.invariant) == (
        "inconclusive",
        "critical",
        "far",
    )
    expected = {c.declared.id: c.digest for c in program(LARGE, FAR).invariants}
    assert {m.invariant: m.digest for m in finding.undecided} == expected
    assert [(m.severity, m.unknown) for m in finding.undecided] == [
        ("critical", ["far"]),
        ("warning", ["large"]),
    ]
    assert "the same doubt concerns 1 more invariant [" in line(finding)
    assert any("warning  large (" in text for text in page(finding, ()))


def test_the_id_does_not_depend_on_the_invariants() -> None:
    """A file with one invariant gives the id that one with more gives."""
    both, one, other = (told(UNREADABLE, *of)[0] for of in ((LARGE, FAR), (LARGE,), (FAR,)))
    assert both.id == one.id == other.id
    (only,) = {f.id for found in verdicts(UNREADABLE, LARGE) for f in found}
    assert [m.verdict for m in both.undecided if m.invariant == "large"] == [only]


def test_a_later_event_in_the_same_doubt_is_not_told_again() -> None:
    """It joins the group if its invariant is new there, and raises its severity."""
    events = [*UNREADABLE, event(1, "answered"), event(2, "answered")]
    first, raised = told(events, LARGE, LATER)
    assert first.id == raised.id
    assert (first.severity, raised.severity) == ("warning", "critical")
    assert [m.anchor.position for m in raised.undecided] == [1, 0]


def test_another_doubt_is_another_finding() -> None:
    """Two calls that cannot be read are two."""
    assert len({f.id for f in told([event(0, "pay"), event(1, "pay")], LARGE, FAR)}) == 2


def test_doubt_of_severity_info_is_told_once_a_session() -> None:
    """However many events are in doubt; a warning is told for each."""
    events = [event(number, "pay") for number in range(5)]
    assert len(told(events, BACKGROUND)) == 1


def test_doubt_of_severity_info_joins_a_graver_one() -> None:
    """The doubt is reported anyway; its background group is not reported beside it."""
    events = [event(number, "pay") for number in range(5)]
    found = told(events, BACKGROUND, LARGE)
    assert [f.severity for f in found] == ["warning"] * 5
    assert {m.invariant for f in found for m in f.undecided} == {"background", "large"}
    # The group's id is that of the graver one alone.
    assert [f.id for f in found] == [f.id for f in told(events, LARGE)]


def test_stops_are_those_of_each_verdict() -> None:
    """Escalated violations are one finding; their stops keep their ids, and alerts are one."""
    ((*found,),) = verdicts(UNREADABLE, STOPS, WARNS)
    (group,) = Groups().take(found)
    assert (group.type, len(group.undecided)) == ("violated", 2)
    actions = [action for finding in (*found, group) for action in plan(finding, ResponsePolicy())]
    assert [(a.kind, a.target, a.invariant) for a in actions] == [
        ("quarantine", "session:s", "stops"),
        ("alert", "log", "stops"),
    ]
    assert {action.finding for action in actions} == {group.id}
    alone = msgspec.structs.replace(found[0], group="")
    assert plan(alone, ResponsePolicy())[0].id == actions[0].id


def test_a_group_grows_over_a_restart(tmp_path: Path) -> None:
    """The store's group is published again with what joined, and is found by any invariant."""
    events = [*UNREADABLE, event(1, "answered")]
    with_store = Store(tmp_path / "s", clock=HandClock())
    for found in verdicts(events, LARGE, LATER):
        fresh = Groups(with_store.finding).take(found)  # A new one each time: the monitor began.
        assert len(with_store.commit(Change(findings=fresh)).findings) == 1
        (waiting,) = with_store.pending_findings(10)
        with_store.mark_published([waiting.id])
        assert with_store.commit(Change(findings=fresh)).findings == ()
    for name in ("large", "later"):
        (stored,) = with_store.findings(FindingFilter(invariant=name))
        assert {f.invariant for f in members_of(stored.finding)} == {"large", "later"}
    assert with_store.findings(FindingFilter(invariant="far")) == []
    with_store.close()


def loop(calls_count: int) -> list[list[Finding]]:
    """The findings of the pack at each event: one call again and again, and the session's end."""
    pack = find_pack("loops")
    assert pack is not None
    engine = Kernel(compile_program(read_pack(pack.path)), KernelSettings(trust_ts=True))
    call = {"kind": "tool.requested", "tool": "process", "args": {"id": "b"}}
    contents = [*(dict(call) for _ in range(calls_count)), {"kind": "session.ended"}]
    found = []
    for number, content in enumerate(contents):
        content |= {"session": "s", "seq": number, "ts": START_NS + 5 * number * SECOND_NS}
        made = decode_event(msgspec.json.encode(content), Origin("t", "0", number))
        assert isinstance(made, Event)
        found.append(engine.step(made))
    return found


def sizes(findings: Sequence[Finding]) -> list[tuple[int, int, int | None]]:
    """Of each record: the count, the position of the latest violation, and that of the end."""
    runs = [finding.run for finding in findings]
    assert all(run is not None for run in runs)
    return [(r.count, r.last.position, r.over.position if r.over else None) for r in runs if r]


def test_a_loop_is_one_finding_with_a_count_and_an_end() -> None:
    """The pack reports it at the limit, at 10 and 100 violations, and at the session's end."""
    groups = Groups()
    told = [f for found in loop(300) for f in groups.take(found)]
    assert {(f.invariant, f.anchor.position) for f in told} == {("loops-same-call", 5)}
    assert len({finding.id for finding in told}) == 1
    # In ten minutes there are 120 calls: the window stays full.
    assert sizes(told) == [(1, 5, None), (10, 14, None), (100, 104, None), (295, 299, 300)]
    assert {len(finding.witness) for finding in told} == {len(told[0].witness)}
    assert "295 violations in a row until 2" in line(told[-1])
    assert "so far" in line(told[1])
    assert any(text.startswith("  run        295 violations") for text in page(told[-1], ()))


def test_a_single_violation_is_told_once() -> None:
    """It has no end to report."""
    assert sizes([f for found in loop(6) for f in found]) == [(1, 5, None)]


def test_a_run_is_responded_to_once() -> None:
    """Its first record plans the alert; the size of the run plans nothing."""
    first, *later = [f for found in loop(60) for f in found]
    assert plan(first, ResponsePolicy())
    assert len(later) == 2
    assert all(plan(finding, ResponsePolicy()) == () for finding in later)


def test_a_run_grows_over_a_restart_and_never_shrinks(tmp_path: Path) -> None:
    """The stored record keeps its witness, and is published again when it has grown."""
    with_store = Store(tmp_path / "s", clock=HandClock())
    steps = [found for found in loop(60) if found]
    for found in [*steps, *steps]:  # The second time everything is read again.
        fresh = Groups(with_store.finding).take(found)
        with_store.commit(Change(findings=fresh))
    (stored,) = with_store.findings(FindingFilter())
    assert sizes([stored.finding]) == [(55, 59, 60)]
    assert len(stored.finding.witness) == len(steps[0][0].witness) > 0
    (waiting,) = with_store.pending_findings(10)
    with_store.mark_published([waiting.id])
    assert Groups(with_store.finding).take(steps[1]) == []
    with_store.close()
