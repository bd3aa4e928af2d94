"""A call that waits while its session goes on, and the arguments that an operator gives it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlock.limits import COSTLY_NUMBERS_MAX
from monitor.gate.book import ANSWERS_MAX
from monitor.gate.errors import MalformedError
from monitor.gate.wire import Ruling
from monitor.principals.parse import parse_principals
from tests.support.gate import INVARIANTS, GateHere

PRINCIPALS = """
versions:
  - version: 1
    since: 2027-01-01T00:00:00Z
    principals:
      bot: {}
      ana: {roles: [approver]}
      ben: {roles: [approver]}
    approvals: {roles: [approver], approvers: 2, expires: 7d}
"""


def opened(folder: Path) -> GateHere:
    principals = parse_principals(PRINCIPALS, "p.yaml")
    return GateHere(folder, INVARIANTS, principals)


def approval_in(here: GateHere) -> str:
    (held,) = here.gate.held("ana")
    return held.id


def granted_by_two(here: GateHere) -> str:
    approval = approval_in(here)
    first = here.gate.rule("ana", approval, Ruling("grant"))
    assert (first.decision, first.request) == ("hold", "r-1")
    return here.gate.rule("ben", approval, Ruling("grant")).decision


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_answer_of_a_waiting_call_is_kept(tmp_path: Path, *, is_killed: bool) -> None:
    """Whatever its session asks meanwhile: a decision about it needs it, and so does a retry."""
    here = opened(tmp_path)
    asked = here.ask("pay", args={"amount": 1}, request="r-1")
    for number in range(ANSWERS_MAX + 2):
        here.ask("search", request=f"other-{number}")
    here.restart(is_killed=is_killed)
    assert here.ask("pay", args={"amount": 1}, request="r-1") == asked
    assert here.gate.answer("bot", "s-1", "other-0") is None, "others are forgotten as before"
    assert here.gate.answer("bot", "s-1", "other-3") is not None
    assert granted_by_two(here) == "allow"
    for number in range(ANSWERS_MAX):
        here.ask("search", request=f"later-{number}")
    assert here.gate.answer("bot", "s-1", "r-1") is None, "it waits no longer"


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize(
    ("attributes", "args"),
    [
        ({"x": "y" * 840_000}, {"amount": 1, "note": "z" * 90_000}),
        ({"x": [1.5] * (COSTLY_NUMBERS_MAX - 9)}, {"amounts": [1.5] * (COSTLY_NUMBERS_MAX - 9)}),
    ],
)
def test_edited_arguments_are_refused_before_the_grant(
    tmp_path: Path, attributes: dict[str, object], args: dict[str, object], *, is_killed: bool
) -> None:
    """If the call could not be recorded with them: the grant would be, and no start would end."""
    here = GateHere(tmp_path)
    approval = here.ask("pay", args={"amount": 1}, attributes=attributes).approval
    assert approval is not None
    edited = msgspec.Raw(msgspec.json.encode(args))
    with pytest.raises(MalformedError):
        here.gate.rule("ana", approval.id, Ruling("grant", args=edited))
    here.gate.tick()
    here.restart(is_killed=is_killed)
    small = msgspec.Raw(b'{"amount":2}')
    assert here.gate.rule("ana", approval.id, Ruling("grant", args=small)).decision == "allow"


def test_a_grant_of_an_operator_who_lost_the_role_does_not_count(tmp_path: Path) -> None:
    """The file was edited, and the gate restarted, between two grants."""
    here = opened(tmp_path)
    here.ask("pay", args={"amount": 1}, request="r-1")
    approval = approval_in(here)
    assert here.gate.rule("ana", approval, Ruling("grant")).decision == "hold"
    left = PRINCIPALS.replace("ana: {roles: [approver]}", "cal: {roles: [approver]}")
    here.principals = parse_principals(left, "p.yaml")
    here.restart()
    assert here.gate.rule("ben", approval, Ruling("grant")).decision == "hold"
    assert [one.granted_by for one in here.gate.held("ben")] == [["ben"]]
    assert here.gate.rule("cal", approval, Ruling("grant")).decision == "allow"
