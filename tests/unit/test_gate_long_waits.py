"""A call that waits while its session goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.gate.book import ANSWERS_MAX
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
