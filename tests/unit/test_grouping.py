"""One doubt is one finding: what is grouped, under which id, and what is planned for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from monitor.cli.__main__ import main
from monitor.finding import Finding, Undecided
from monitor.grouping import Groups, grouped, members_of
from monitor.respond import ResponsePolicy, plan
from monitor.store_rows import insert_finding
from tests.support.rim import make_finding

INVARIANT = """\
  - id: {id}
    summary: {id}
    severity: {severity}
    on_unknown: {on_unknown}
    never: {formula}
"""
HEAD = """\
version: 1
predicates:
  paid: args.to == "eve"
  read: args.path == "/etc/shadow"
invariants:
"""


def _invariant(
    id_: str, severity: str = "warning", formula: str = "paid", on_unknown: str = "report"
) -> str:
    return INVARIANT.format(id=id_, severity=severity, formula=formula, on_unknown=on_unknown)


def _event(seq: int, args: str = "") -> str:
    more = f', "args": {args}' if args else ""
    return (
        f'{{"kind": "tool.requested", "tool": "pay", "call": "c{seq}", "session": "s", '
        f'"seq": {seq}, "ts": "2026-01-05T09:00:0{seq}Z"{more}}}\n'
    )


def _run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    invariants: Sequence[str],
    events: Sequence[str],
) -> list[Finding]:
    """The findings that a run over a file prints, as they were told last."""
    count = len(list(tmp_path.iterdir()))
    spec, recording = tmp_path / f"{count}.yaml", tmp_path / f"{count}.jsonl"
    spec.write_text(HEAD + "".join(invariants))
    recording.write_text("".join(events))
    flags = ["--invariants", str(spec), "--source", str(recording), "--output", "json"]
    main(["run", *flags, "--state-dir", str(tmp_path / f"state{count}")])
    lines = [line for line in capsys.readouterr().out.splitlines() if '"anchor"' in line]
    told = [msgspec.json.decode(line, type=Finding) for line in lines]
    return [finding for finding in told if finding.type in ("inconclusive", "violated")]


def _verdict(name: str, severity: str = "warning", **more: object) -> Finding:
    return make_finding(
        f"f-{name}",
        type="inconclusive",
        invariant=name,
        invariant_digest=f"d-{name}",
        severity=severity,
        respond=[],
        group="f-group",
        **more,
    )


def test_one_event_that_cannot_be_read_is_one_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All invariants in doubt about one event stand in one finding of the highest severity."""
    invariants = [_invariant("a"), _invariant("b", "critical", "read"), _invariant("c")]
    (found,) = _run(tmp_path, capsys, invariants, [_event(0)])
    assert (found.severity, found.invariant) == ("critical", "b")
    assert [member.invariant for member in found.undecided] == ["b", "a", "c"]
    assert all(member.digest for member in found.undecided)


def test_the_id_does_not_depend_on_what_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With another invariant, or another alone, a doubt has the same id."""
    one = _run(tmp_path, capsys, [_invariant("a")], [_event(0)])
    other = _run(tmp_path, capsys, [_invariant("b", "critical", "read")], [_event(0)])
    both = _run(tmp_path, capsys, [_invariant("a"), _invariant("b")], [_event(0)])
    assert len({found.id for found in (*one, *other, *both)}) == 1


def test_a_doubt_is_told_at_the_event_where_it_arose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later events whose verdicts depend on the same doubt add no finding; a new doubt does."""
    fine = '{"to": "eve", "path": "x"}'
    invariants = [_invariant("after", formula="paid and once read")]
    later = [_event(0, '{"to": "bob"}'), *(_event(n, fine) for n in range(1, 5))]
    assert len(_run(tmp_path, capsys, invariants, later)) == 1
    assert len(_run(tmp_path, capsys, invariants, [*later, _event(5, '{"to": "eve"}')])) == 2


def test_doubt_at_info_is_told_once_a_session_and_alerts_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown of severity info is told once, however many events have it."""
    events = [_event(n) for n in range(5)]
    (found,) = _run(tmp_path, capsys, [_invariant("a", "info")], events)
    assert found.severity == "info"
    assert plan(found, ResponsePolicy(has_webhook=True)) == ()


def test_escalated_violations_are_grouped_and_not_hidden_by_info(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escalated doubt is a finding of its own, at each event, whatever its severity."""
    escalated = [_invariant(id_, "info", on_unknown="violate") for id_ in ("a", "b")]
    found = _run(tmp_path, capsys, [*escalated, _invariant("c", "info")], [_event(0), _event(1)])
    assert sorted(one.type for one in found) == ["inconclusive", "violated", "violated"]
    assert [len(one.undecided) for one in found if one.type == "violated"] == [2, 2]


def test_a_group_grows_by_invariants_alone() -> None:
    """A repeat is not told; an invariant that joins is, and the severity never falls."""
    groups = Groups()
    (first,) = groups.take([_verdict("a", "critical")])
    assert groups.take([_verdict("a", "critical")]) == []
    (second,) = groups.take([_verdict("b", "info")])
    assert (first.id, second.id) == ("f-group", "f-group")
    assert second.severity == "critical"
    assert [member.invariant for member in second.undecided] == ["a", "b"]


def test_one_alert_for_a_group_and_another_if_its_severity_rises() -> None:
    """Alerts are of the group, by severity: a repeat has the id of the first."""
    groups = Groups()
    policy = ResponsePolicy()
    (low,) = groups.take([_verdict("a")])
    (same,) = groups.take([_verdict("b")])
    (high,) = groups.take([_verdict("c", "critical")])
    (known,), (repeat,), (risen,) = plan(low, policy), plan(same, policy), plan(high, policy)
    assert known.id == repeat.id != risen.id
    assert risen.severity == "critical"
    assert plan(_verdict("a"), policy) == ()


def test_stops_are_planned_for_each_verdict() -> None:
    """An escalated violation stops as before, under an id of its own verdict."""
    verdict = make_finding("f-1", is_escalated=True, group="f-group", respond=["kill"])
    stops = plan(verdict, ResponsePolicy())
    alone = plan(msgspec.structs.replace(verdict, group=""), ResponsePolicy())
    assert [stop.id for stop in stops] == [stop.id for stop in alone]
    assert {stop.finding for stop in stops} == {"f-group"}
    assert not any(a.is_enforcing for g in grouped([verdict]) for a in plan(g, ResponsePolicy()))


def test_members_are_the_verdicts_again() -> None:
    """What was grouped can be taken apart: ids, severities and digests are those of verdicts."""
    verdicts = [_verdict("a", "critical"), _verdict("b", "info")]
    (group,) = grouped(verdicts)
    assert isinstance(group.undecided[0], Undecided)
    apart = [(m.id, m.severity, m.invariant_digest) for m in members_of(group)]
    assert apart == [(v.id, v.severity, v.invariant_digest) for v in verdicts]


def test_a_group_that_grows_is_published_again_after_a_restart() -> None:
    """Between members of one group a monitor may restart: the stored group goes on."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE TABLE findings (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, session, invariant, "
        "severity, type, stored_ns, json, is_published INTEGER DEFAULT 0)"
    )
    (first,) = Groups().take([_verdict("a")])
    insert_finding(connection, first, 1)
    connection.execute("UPDATE findings SET is_published = 1")
    known = {first.id: first}
    assert Groups(known.get).take([_verdict("a")]) == []
    (grown,) = Groups(known.get).take([_verdict("b", "critical")])
    assert insert_finding(connection, grown, 2)
    rows = connection.execute("SELECT id, severity, invariant, is_published FROM findings")
    assert rows.fetchall() == [("f-group", "critical", "b", 0)]
