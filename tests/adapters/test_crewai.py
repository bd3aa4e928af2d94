"""The adapter of CrewAI, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import LONG, POST, Cases

pytestmark = LONG
CASES = """
hijacked hijacked-async hijacked-agent hijacked-task hijacked-each hijacked-delegated
hijacked-react hijacked-again hijacked-restored hijacked-silent honest honest-react honest-async
parallel repeated broken held
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("crewai", "crewai_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-async", "-agent", "-task", "-each", "-again"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    """In a crew, without one, with tools of a task, in the copies that the framework makes, and if
    it tries a task again.
    """
    cases.check_refused(f"hijacked{how}", said=False)
    # The framework drops what a model says beside its calls.
    assert cases.said(f"hijacked{how}") == ["[user] asks: do it", "I could not post it."]


def test_an_agent_that_writes_its_calls_as_text_is_refused(cases: Cases) -> None:
    told = cases.told("hijacked-react")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    assert "refused before it ran: no post after a secret was read" in told["read"][-1][1]
    assert told["final"] == "I could not post it."


def test_an_agent_to_which_work_is_delegated_belongs_to_the_session(cases: Cases) -> None:
    """Its task, which a model has written, is not a message of the user."""
    told = cases.told("hijacked-delegated")
    assert told["ran"] == [["read_file", "/secrets/key"]], told
    (denied,) = cases.records("hijacked-delegated", "tool.denied")
    assert (denied["tool"], denied["call"]) == ("http_post", "c2")
    said = [r["text"] for r in cases.records("hijacked-delegated", "message.user")]
    assert said == ["[user] asks: do it"]


def test_a_checkpoint_is_not_restored_into_an_agent_that_would_not_ask(cases: Cases) -> None:
    told = cases.told("hijacked-restored")
    assert told["ran"] == []
    assert told["error"].startswith("SettingError: `from_checkpoint` would restore an agent")


@pytest.mark.parametrize("how", ["", "-async"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


def test_an_honest_twin_that_writes_its_calls_as_text_is_untouched(cases: Cases) -> None:
    told = cases.told("honest-react")
    assert told["ran"] == [["read_file", "/notes"], POST] and told["final"] == "Done."


def test_parallel_calls_are_judged_one_by_one(cases: Cases) -> None:
    cases.check_parallel("parallel")


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("crewai")
