"""What is planned for a finding."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.spec.model import ActionKind
from monitor.findings.grouping import grouped
from monitor.findings.incident import incident_of
from monitor.findings.model import EngineFindingType
from monitor.response.plan import ENFORCING_KINDS, URGENCY, Action, ResponsePolicy, plan
from tests.support.rim import make_finding

POLICY = ResponsePolicy()


def shapes(actions: tuple[Action, ...]) -> list[tuple[str, str, str]]:
    return [(action.kind, action.target, action.state) for action in actions]


def test_an_enforced_violation_stops_session_and_principal_then_alerts() -> None:
    """A violated finding in mode enforce names the session and its principal, and alerts last."""
    assert shapes(plan(make_finding(), POLICY)) == [
        ("quarantine", "session-of:team-a/s-1", "planned"),
        ("quarantine", "principal:team-a", "planned"),
        ("alert", "log", "planned"),
    ]


def test_a_kill_takes_the_place_of_a_quarantine() -> None:
    """Of kill and quarantine only the kill is planned: a quarantine behind it would undo it."""
    actions = plan(make_finding(respond=["quarantine", "kill"], principal=""), POLICY)
    assert shapes(actions) == [("kill", "session:s-1", "planned")]


def test_an_escalated_violation_stops_like_any_other() -> None:
    """`on_unknown: violate` made it a violation, and a violation stops."""
    assert plan(make_finding(is_escalated=True), POLICY)[0].state == "planned"


def test_a_birth_alerts_nobody() -> None:
    """After a change of invariants there is one for every running session."""
    assert plan(make_finding(type="birth", mode="enforce"), POLICY) == ()


@pytest.mark.parametrize(
    "type_", ["inconclusive", *(t for t in get_args(EngineFindingType) if t != "birth")]
)
def test_what_is_no_violation_only_alerts(type_: str) -> None:
    """Nobody is stopped for what is not known to be a violation, whatever `respond` says."""
    actions = plan(make_finding(type=type_, respond=["kill", "quarantine"]), POLICY)
    assert shapes(actions) == [("alert", "log", "planned")]


@pytest.mark.parametrize(
    ("policy", "mode"),
    [(POLICY, "observe"), (ResponsePolicy(is_observing=True), "enforce")],
    ids=["the invariant observes", "the settings cap it"],
)
def test_observing_records_what_would_have_been_done(policy: ResponsePolicy, mode: str) -> None:
    """In mode observe, stops are recorded as `would`, and alerts are still carried out."""
    actions = plan(make_finding(mode=mode), policy)
    assert shapes(actions) == [
        ("quarantine", "session-of:team-a/s-1", "would"),
        ("quarantine", "principal:team-a", "would"),
        ("alert", "log", "planned"),
    ]
    assert {action.mode for action in actions} == {"observe"}


def test_settings_choose_principal_and_webhook() -> None:
    """The principal can be left alone, and a webhook gets an alert of its own."""
    policy = ResponsePolicy(names_principal=False, has_webhook=True)
    assert [action.target for action in plan(make_finding(), policy)] == [
        "session-of:team-a/s-1",
        "log",
        "webhook",
    ]


def test_an_empty_response_still_alerts() -> None:
    """No violation passes in silence."""
    assert shapes(plan(make_finding(respond=[]), POLICY)) == [("alert", "log", "planned")]


def test_the_incident_does_not_show_the_finding() -> None:
    """Agents can read the incident's name; it holds no part of the finding's id."""
    incident = plan(make_finding("f-abcdef"), POLICY)[0].incident
    assert "abcdef" not in incident
    assert incident == incident_of("f-abcdef") != incident_of("f-abcdee")


def test_every_word_of_respond_is_planned() -> None:
    """Each word has a place in the order, in a finding of one verdict and in one of a group. The
    store's queries take an urgency below 2 for a stop.
    """
    for kind in get_args(ActionKind):
        assert (URGENCY[kind] < 2) == (kind in ENFORCING_KINDS)
        alone = make_finding(respond=[kind])
        verdict = make_finding(respond=[kind], group="g-1")
        parts = [verdict, *grouped([verdict])]
        assert {action.kind for action in plan(alone, POLICY)} == {kind}
        assert {action.kind for part in parts for action in plan(part, POLICY)} == {kind}


findings = st.builds(
    make_finding,
    id_=st.text(max_size=5),
    session=st.text(max_size=5),
    principal=st.text(max_size=5),
    type=st.sampled_from(["violated", "inconclusive", "gap"]),
    mode=st.sampled_from(["observe", "enforce"]),
    respond=st.lists(st.sampled_from(["alert", "quarantine", "kill"]), max_size=3),
)


@given(findings)
def test_planning_twice_plans_the_same(finding: object) -> None:
    """The same finding gives the same actions under the same ids, each id once."""
    first, second = plan(finding, POLICY), plan(finding, POLICY)  # type: ignore[arg-type]
    assert first == second
    assert len({action.id for action in first}) == len(first) > 0
