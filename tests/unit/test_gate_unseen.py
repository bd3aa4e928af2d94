"""A gate that starts with other invariants, and the sessions that it finds under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from invariants.model.event import SECOND_NS
from monitor.gate.wire import Opening, Ruling
from tests.support.gate import INVARIANTS, GateHere

POST = {"url": "https://outside.example/"}
OLD = """
version: 1
predicates: {nothing: 'kind == "nothing"'}
invariants:
  - {id: old, severity: info, never: nothing}
"""


def changed(folder: Path, text: str = INVARIANTS, old: str = OLD) -> GateHere:
    """A session in which a secret was read; then the gate starts with other invariants."""
    here = GateHere(folder, old)
    here.gate.open("bot", Opening("s-1", agent="robot"))
    here.read_secret()
    (folder / "invariants.yaml").write_text(text)
    here.restart()
    return here


@pytest.mark.parametrize("on_unknown", ["violate", "report"])
def test_a_call_whose_past_a_new_invariant_has_not_seen_is_refused(
    tmp_path: Path, on_unknown: str
) -> None:
    """Each time; a call that it does not need the past for is allowed, as is a new session."""
    text = INVARIANTS.replace("on_unknown: violate", f"on_unknown: {on_unknown}")
    here = changed(tmp_path, text)
    for _ in range(3):
        answer = here.ask("http.post", args=POST)
        assert (answer.decision, answer.reason) == ("deny", "unseen")
        assert [(one.id, one.finding) for one in answer.invariants] == [("no-leak", "")]
        assert "no post after a secret was read" in answer.message
        assert "new session" in answer.message
    assert here.ask("search").decision == "allow"
    assert here.ask("http.post", session="s-2", args=POST).decision == "allow"
    here.read_secret(session="s-2")
    assert here.ask("http.post", session="s-2", args=POST).reason == "violation"


def test_the_same_invariant_goes_on(tmp_path: Path) -> None:
    """It has seen the past: only those that are new have not."""
    text = (
        INVARIANTS
        + """  - id: another
    severity: info
    mode: enforce
    never: pays_much and previous(posts)
"""
    )
    here = changed(tmp_path, text, INVARIANTS)
    assert here.ask("http.post", args=POST).reason == "violation"


@pytest.mark.parametrize(
    "told",
    ["fail: open", "per: agent", "mode: observe", "never: posts and once[10s](reads_secret)"],
)
def test_invariants_that_refuse_nothing_for_it(tmp_path: Path, told: str) -> None:
    """One that says so; one of a scope whose beginning nobody has seen; one that only observes;
    and one whose window has passed since.
    """
    name = told.partition(":")[0]
    before = "    never: posts and once(reads_secret)\n"
    after = f"    {told}\n" if name == "never" else f"{before}    {told}\n"
    text = INVARIANTS.replace(before, after)
    if name == "mode":
        text = INVARIANTS.replace("mode: enforce", "mode: observe", 1)
    here = changed(tmp_path, text)
    if name == "never":
        assert here.ask("http.post", args=POST).reason == "unseen"
    here.clock.time_ns += 11 * SECOND_NS
    assert here.ask("http.post", args=POST).decision == "allow"


def test_a_call_waits_if_an_approval_makes_the_past_irrelevant(tmp_path: Path) -> None:
    """It may have been approved before, and nobody knows."""
    text = INVARIANTS.replace("not previous(granted)", "not once(granted)")
    here = changed(tmp_path, text)
    held = here.ask("pay", args={"amount": 1})
    assert (held.decision, held.reason) == ("hold", "approval")
    assert "a payment needs an approval" in held.message
    (waiting,) = here.gate.held("ana")
    assert here.gate.rule("ana", waiting.id, Ruling("grant")).decision == "allow"
    assert here.ask("pay", args={"amount": 2}).decision == "allow"
