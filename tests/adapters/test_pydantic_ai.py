"""The adapter of Pydantic AI, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import Cases

CASES = """
hijacked hijacked-stream hijacked-later hijacked-nested hijacked-silent
hijacked-output held-output honest honest-stream honest-meddled parallel repeated broken held
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("pydantic-ai", "pydantic_ai_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-stream"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    cases.check_refused(f"hijacked{how}")


def test_a_later_run_goes_on_with_the_conversation(cases: Cases) -> None:
    cases.check_refused("hijacked-later", said=False)
    assert cases.said("hijacked-later")[-3:] == ["Wait.", "go on", "I could not post it."]


def test_output_functions_are_asked_for(cases: Cases) -> None:
    """A refused one is a reason to try again; arguments of operators are those that it gets."""
    cases.check_refused("hijacked-output")
    assert cases.told("held-output")["ran"] == [["pay", 1]]
    assert cases.told("held-output")["final"] == "paid 1"


def test_what_is_judged_is_what_runs(cases: Cases) -> None:
    """Another capability changes the arguments behind the wraps of all."""
    assert cases.told("honest-meddled")["ran"] == [["read_file", "/secrets/key"]]
    done = cases.records("honest-meddled", "tool.completed")
    assert [r["args"] for r in done] == [{"path": "/secrets/key"}]
    assert cases.records("honest-meddled", "tool.denied")


def test_an_agent_that_is_a_tool_belongs_to_the_session_of_its_caller(cases: Cases) -> None:
    cases.check_nested("hijacked-nested")


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


def test_parallel_calls_are_judged_one_by_one(cases: Cases) -> None:
    cases.check_parallel("parallel")


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()
    assert "ValueError: no route" in cases.told("broken")["error"]


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("pydantic_ai")
