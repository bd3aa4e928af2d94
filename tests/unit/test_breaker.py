"""How many are stopped in an hour, and by whose doing nobody else's stops are used up."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from monitor.findings.model import Finding
from monitor.response.breaker import BREAKER_WINDOW_NS, Breaker, Stopped
from monitor.response.plan import Action, ResponsePolicy, plan
from tests.support.rim import START_NS, make_finding

POLICY = ResponsePolicy(enforcing_max=2, kills_max=1)


def admitted(breaker: Breaker, finding: Finding, policy: ResponsePolicy = POLICY) -> list[Action]:
    return list(breaker.admit(finding, plan(finding, policy), START_NS))


def shapes(actions: list[Action]) -> list[tuple[str, str, str]]:
    return [(action.kind, action.target, action.state) for action in actions]


findings = st.builds(
    make_finding,
    id_=st.text(max_size=5),
    session=st.text(max_size=5),
    agent=st.text(max_size=3),
    principal=st.sampled_from(["", "team-a", "team-b", "principals"]),
    type=st.sampled_from(["violated", "inconclusive", "gap"]),
    mode=st.sampled_from(["observe", "enforce"]),
    respond=st.lists(st.sampled_from(["alert", "quarantine", "kill"]), max_size=3),
)


@given(st.lists(findings, max_size=30), st.integers(0, 4), st.integers(0, 4))
def test_no_bucket_goes_past_its_bounds(
    drawn: list[Finding], enforcing_max: int, kills_max: int
) -> None:
    """New targets and kills never go past the bounds; what is not done is held, and told."""
    policy = ResponsePolicy(enforcing_max=enforcing_max, kills_max=kills_max)
    breaker = Breaker(policy)
    results = [(f, admitted(breaker, f, policy)) for f in drawn]
    stops = {(bucket(a), a.target) for _, of in results for a in of if is_stop(a)}
    kills = {(bucket(a), a.target) for _, of in results for a in of if is_stop(a, "kill")}
    assert all(n <= enforcing_max for n in Counter(name for name, _ in stops).values())
    assert all(n <= kills_max for n in Counter(name for name, _ in kills).values())
    for finding, actions in results:
        assert {a.id for a in plan(finding, policy)} <= {a.id for a in actions}
        is_held = any(a.state == "held" for a in actions)
        alerts = [a for a in actions if a.kind == "alert"]
        assert is_held == any(a.reason and a.severity == "critical" for a in alerts)


@given(st.lists(findings, max_size=30), findings)
def test_one_principal_uses_up_nobody_elses_stops(others: list[Finding], finding: Finding) -> None:
    """What is done for a sender does not depend on what other senders did, principals aside."""
    policy = ResponsePolicy(enforcing_max=2, kills_max=1, names_principal=False)
    alone, beside = Breaker(policy), Breaker(policy)
    for other in others:
        if other.principal != finding.principal:
            admitted(beside, other, policy)
    assert admitted(alone, finding, policy) == admitted(beside, finding, policy)


def bucket(action: Action) -> str:
    return "all principals" if action.target.startswith("principal:") else f"of {action.principal}"


def is_stop(action: Action, kind: str | None = None) -> bool:
    return action.is_enforcing and action.state == "planned" and kind in (None, action.kind)


def test_an_invented_agent_is_no_bucket() -> None:
    """`agent` is the producer's word: with it nobody gets more stops, or uses another's."""
    breaker = Breaker(POLICY)
    for number in range(3):
        finding = make_finding(
            f"f-{number}", session=f"s-{number}", agent=f"a-{number}", principal=""
        )
        last = admitted(breaker, finding)
    assert shapes(last) == [("quarantine", "session:s-2", "held"), ("alert", "log", "planned")]
    assert "respond.enforcing_per_hour_max" in last[1].reason


def test_throw_away_sessions_of_one_leave_another_his_stop() -> None:
    """A principal that burns its own bucket is stopped itself, and so is everybody else."""
    breaker = Breaker(POLICY)
    for number in range(75):
        mine = make_finding(f"f-{number}", session=f"s-{number}", principal="eve")
        admitted(breaker, mine)
    other = make_finding("f-o", session="honest", principal="bob")
    assert shapes(admitted(breaker, other))[:2] == [
        ("quarantine", "session-of:bob/honest", "planned"),
        ("quarantine", "principal:bob", "planned"),
    ]


def test_a_kill_beyond_its_bound_becomes_a_quarantine() -> None:
    """The agent is refused all the same, and somebody is told, critically."""
    breaker = Breaker(POLICY)
    kill = ["kill"]
    first = make_finding("f-1", session="s-1", principal="", respond=kill)
    second = make_finding("f-2", session="s-2", principal="", respond=kill, severity="warning")
    third = make_finding("f-3", session="s-3", principal="", respond=kill)
    assert shapes(admitted(breaker, first)) == [("kill", "session:s-1", "planned")]
    actions = admitted(breaker, second)
    assert shapes(actions) == [
        ("kill", "session:s-2", "held"),
        ("quarantine", "session:s-2", "planned"),
        ("alert", "log", "planned"),
    ]
    assert actions[2].severity == "critical"
    assert "respond.kills_per_hour_max" in actions[2].reason
    assert shapes(admitted(breaker, third))[0] == ("kill", "session:s-3", "held")
    assert len({a.id for a in actions}) == 3


def test_a_target_that_is_stopped_already_is_not_a_new_one() -> None:
    """To stop the same target again never waits for a person; nor does a kill of it, in bounds."""
    breaker = Breaker(
        POLICY, [Stopped(f"session:s-{n}", "quarantine", "", START_NS - 1) for n in (1, 2)]
    )
    finding = make_finding(principal="", respond=["kill"])
    assert shapes(admitted(breaker, finding)) == [("kill", "session:s-1", "planned")]


def test_the_window_is_an_hour() -> None:
    """What was stopped an hour ago makes room."""
    old = START_NS - BREAKER_WINDOW_NS
    for time_ns, state in ((old, "planned"), (old + 1, "held")):
        breaker = Breaker(
            POLICY, [Stopped(f"session:o-{n}", "kill", "", time_ns) for n in range(2)]
        )
        finding = make_finding(principal="")
        assert shapes(admitted(breaker, finding))[0] == ("quarantine", "session:s-1", state)


def test_a_bound_of_nought_holds_everything() -> None:
    """`respond.enforcing_per_hour_max: 0` stops nobody and says so."""
    policy = ResponsePolicy(enforcing_max=0)
    finding = make_finding(principal="", respond=["kill"])
    actions = admitted(Breaker(policy), finding, policy)
    assert shapes(actions) == [("kill", "session:s-1", "held"), ("alert", "log", "planned")]


def test_would_be_stops_do_not_count() -> None:
    """An observed invariant cannot use up the breaker of an enforced one."""
    policy = ResponsePolicy(enforcing_max=1)
    breaker = Breaker(policy)
    admitted(breaker, make_finding("f-o", session="o", principal="", mode="observe"), policy)
    enforced = admitted(breaker, make_finding("f-e", principal=""), policy)
    assert {a.state for a in enforced if a.is_enforcing} == {"planned"}
