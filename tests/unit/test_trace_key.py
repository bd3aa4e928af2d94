"""Whose trace an event belongs to, and the keys under which it is stopped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.transport.target import parse_target
from interlock.transport.target import principal_of as client_principal
from monitor.trace_key import TraceKey, is_about_others, is_authority, principal_of

NAMES = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789._-", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("topic", "principal"),
    [
        ("agent.events", ""),
        ("agent.events.alice", "alice"),
        ("agent.events.team.alice", "team.alice"),
        ("agent.eventsalice", ""),
        ("interlock.approvals", ""),
        ("file", ""),
    ],
)
def test_the_topic_alone_names_the_principal(topic: str, principal: str) -> None:
    """NAME of `agent.events.NAME` is the principal; no other topic names one."""
    assert principal_of(topic) == principal


def test_the_client_takes_the_same_principal_from_its_topic() -> None:
    """Guard and monitor agree about whom a topic names, or stops would not reach the guard."""
    for topic in ("agent.events", "agent.events.alice", "agent.events.team.alice"):
        assert client_principal(parse_target(f"kafka://h:1/{topic}")) == principal_of(topic)


def test_operators_and_gates_alone_may_name_a_principal() -> None:
    """Only the topics of operators and gates are believed when they name somebody."""
    assert is_authority("interlock.approvals")
    assert is_authority("interlock.enforcement")
    assert is_authority("interlock.gate")
    assert not is_authority("agent.events.alice")
    assert not is_authority("agent.events")
    assert not is_authority("file")
    assert is_about_others("interlock.enforcement")
    assert not is_about_others("interlock.gate")


@given(NAMES, st.text(max_size=12), NAMES, st.text(max_size=12))
def test_two_traces_never_have_one_control_target(
    one: str, session: str, other: str, other_session: str
) -> None:
    """A stop names one trace: whatever the IDs are, two traces have two targets."""
    keys = {TraceKey(one, session), TraceKey(other, other_session), TraceKey("", session)}
    assert len({key.control_target for key in keys}) == len(keys)
