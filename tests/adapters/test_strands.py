"""The adapter of Strands Agents, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import LONG, Cases

pytestmark = LONG
CASES = """
hijacked hijacked-stream hijacked-saved hijacked-alone hijacked-nested hijacked-unasked
hijacked-silent honest honest-stream parallel parallel-sequential repeated broken held paused
worded
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("strands", "strands_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-stream"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    cases.check_refused(f"hijacked{how}")


def test_a_session_of_a_session_manager_is_resumed(cases: Cases) -> None:
    """By another agent, as in another process."""
    cases.check_refused("hijacked-saved", said=False)
    assert cases.said("hijacked-saved")[-3:] == ["Wait.", "go on", "I could not post it."]


def test_an_agent_without_any_session_has_one_of_its_own(cases: Cases) -> None:
    told = cases.told("hijacked-alone")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    assert "refused before it ran" in told["read"][-1][1]


def test_an_agent_that_is_a_tool_belongs_to_the_session_of_its_caller(cases: Cases) -> None:
    cases.check_nested("hijacked-nested")


def test_an_agent_that_is_a_tool_without_the_plugin_is_not_accepted(cases: Cases) -> None:
    """Nothing would ask for its calls, so it does not begin."""
    told = cases.told("hijacked-unasked")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    assert "nothing would ask for its calls" in told["read"][1][1]


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


@pytest.mark.parametrize("how", ["", "-sequential"])
def test_parallel_calls_are_judged_one_by_one(cases: Cases, how: str) -> None:
    cases.check_parallel(f"parallel{how}")


def test_a_tool_that_pauses_is_asked_for_again(cases: Cases) -> None:
    cases.check_paused("paused", "it paused")


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()


def test_arguments_are_judged_as_the_tool_gets_them(cases: Cases) -> None:
    cases.check_converted("worded")


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("strands")
