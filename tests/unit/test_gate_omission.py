"""Calls with arguments that the gate does not know: denied if an enforced invariant reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.config.gate import GateSettings
from monitor.gate.wire import Ask, Ruling
from tests.support.gate import GateHere

LONG = {"interlock_args_omitted": True}
TEXT = """
version: 1
sources:
  secrets:
    when: kind == "tool.completed" && tool == "vault"
    values: result
  named:
    when: kind == "tool.completed" && tool == "drive"
    values: args.names
predicates:
  reads_secret: kind == "tool.completed" && tool == "read_file" && args.path.startsWith("/secrets")
  posts: kind == "tool.requested" && tool == "http.post"
  pays_much: kind == "tool.requested" && tool == "pay" && args.amount > 1000
  pays: kind == "tool.requested" && tool == "pay"
  granted: kind == "approval.granted" && tool == "pay"
  moves: kind == "tool.requested" && tool == "move" && attributes.env == "test" && args.to == "x"
  mails:
    when: kind == "tool.requested" && tool == "mail"
    with: {to: args.to}
  fails: kind == "tool.failed" && tool == "login" && args.user == "root"
  chats: kind == "tool.requested" && tool == "chat" && seen(attributes.text, "named")
  deletes: kind == "tool.requested" && tool == "delete" && args.all == true
invariants:
  - {id: no-leak, summary: no post after a secret was read., severity: critical, mode: enforce,
     on_unknown: report, never: posts and once(reads_secret)}
  - {id: pay-little, severity: critical, mode: enforce, on_unknown: report, never: pays_much}
  - {id: approved, severity: critical, mode: enforce, on_unknown: report,
     never: pays and not previous(granted)}
  - {id: no-move, severity: critical, mode: enforce, on_unknown: report, never: moves}
  - {id: mails, severity: critical, mode: enforce, on_unknown: report,
     never: "count(mails(to=x)) > 3"}
  - {id: logins, severity: critical, mode: enforce, on_unknown: report, never: count(fails) > 3}
  - {id: chats, severity: critical, mode: enforce, on_unknown: report, never: chats}
  - {id: observed, severity: critical, mode: observe, on_unknown: report, never: deletes}
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[GateHere]:
    gate = GateHere(tmp_path, TEXT)
    yield gate
    gate.close()


def omitted(here: GateHere, tool: str, **attributes: Any) -> list[str]:
    """The invariants that deny a call without its arguments."""
    answer = here.ask(tool, attributes={**LONG, **attributes})
    if answer.decision == "allow":
        return []
    assert (answer.decision, answer.reason) == ("deny", "omitted")
    return [reason.id for reason in answer.invariants]


@pytest.mark.parametrize(
    ("tool", "invariants"),
    [
        ("pay", ["pay-little"]),
        ("mail", ["mails"]),
        ("login", ["logins"]),
        ("drive", ["chats"]),
        ("read_file", ["no-leak"]),
        ("vault", []),
        ("http.post", []),
        ("delete", []),
        ("search", []),
    ],
)
def test_what_reads_them_denies(here: GateHere, tool: str, invariants: list[str]) -> None:
    """At the request, at an outcome, as a value, or to know what was shown; if it is enforced."""
    assert omitted(here, tool) == invariants
    assert here.ask(tool).decision == ("deny" if invariants else "allow"), "it need not be said"
    empty = here.gate.ask("bot", Ask("s-1", tool, msgspec.Raw(b"null")))
    assert empty.decision == ("deny" if invariants else "allow")


def test_a_call_that_is_decided_without_them_is_judged(here: GateHere) -> None:
    """Something else makes the predicate false, whatever the arguments are."""
    assert omitted(here, "move", env="prod") == []
    assert omitted(here, "move", env="test") == ["no-move"]


def test_arguments_that_are_known_are_judged(here: GateHere) -> None:
    """`{}` says that there are none; of several, only those that are read matter."""
    assert here.ask("read_file", args={}).decision == "allow"
    for names, decision in ((["note"], "allow"), (["path"], "deny"), (["note", "path"], "deny")):
        attributes = {"interlock_args_omitted": names}
        known = {"path": "/tmp/x"} if "path" not in names else {"note": "x"}
        answer = here.ask("read_file", args=known, attributes=attributes)
        assert answer.decision == decision, names


def test_the_denial_is_recorded_and_says_what_to_do(here: GateHere) -> None:
    """The log has the request; a retry gets the same; the message has only our text."""
    first = here.ask("read_file", request="r-1", attributes={**LONG, "x": "EVIL"})
    assert first.message.startswith("This call was refused before it ran: some of its arguments")
    assert "no post after a secret was read. Make it in smaller parts" in first.message
    assert "EVIL" not in first.message and not first.incident
    assert here.records()[-1]["kind"] == "tool.denied"
    here.restart(is_killed=True)
    assert here.ask("read_file", request="r-1", attributes={**LONG, "x": "EVIL"}) == first
    assert not here.found, "nothing was violated"


def test_an_unknown_path_does_not_hide_that_a_secret_was_read(here: GateHere) -> None:
    """The call before would be unknown to the one that leaks, which is only reported then."""
    assert here.ask("read_file", attributes=LONG).decision == "deny"
    assert here.ask("read_file", args={"path": "/secrets/key"}).decision == "allow"
    here.read_secret()
    assert here.ask("http.post", args={}).decision == "deny"


def test_no_operator_is_asked_about_what_nobody_knows(here: GateHere) -> None:
    """A call that would wait is denied at once: the approval could not be for its arguments."""
    assert omitted(here, "pay") == ["pay-little"]
    held = here.ask("pay", args={"amount": 5})
    assert held.decision == "hold" and held.approval is not None
    assert here.gate.rule("ana", held.approval.id, Ruling("grant")).decision == "allow"


def test_a_violation_is_named_first(tmp_path: Path) -> None:
    """`on_unknown: violate` denies by itself, with a finding and its incident."""
    here = GateHere(
        tmp_path,
        TEXT.replace("on_unknown: report, never: pays_m", "on_unknown: violate, never: pays_m"),
    )
    answer = here.ask("pay", attributes=LONG)
    assert (answer.decision, answer.reason) == ("deny", "violation") and answer.incident
    here.close()


def test_a_setting_judges_them_as_unknown(tmp_path: Path) -> None:
    """Then `on_unknown` decides: of these invariants, none denies."""
    here = GateHere(tmp_path, TEXT, settings=GateSettings(omitted_args="judge"))
    for tool in ("mail", "read_file", "drive", "login"):
        assert here.ask(tool, attributes=LONG).decision == "allow"
    assert here.ask("pay", attributes=LONG).decision == "hold"
    here.close()


@pytest.mark.parametrize(("mode", "decision"), [("observe", "allow"), ("enforce", "deny")])
def test_the_setting_mode_decides_what_is_enforced(
    tmp_path: Path, mode: Any, decision: str
) -> None:
    here = GateHere(tmp_path, TEXT, mode=mode)
    assert here.ask("delete", attributes=LONG).decision == decision
    here.close()
