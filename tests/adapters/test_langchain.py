"""The adapter of LangChain, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import Cases

CASES = """
hijacked hijacked-async hijacked-stream hijacked-thread hijacked-alone hijacked-nested
hijacked-silent honest honest-async honest-command worded parallel parallel-async repeated broken
held held-interrupt held-interrupt-async
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("langchain", "langchain_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-async", "-stream"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    cases.check_refused(f"hijacked{how}")


def test_a_thread_is_a_session_of_several_runs(cases: Cases) -> None:
    cases.check_refused("hijacked-thread", said=False)
    said = ["[user] asks: do it", "I read the file first.", "Wait."]
    assert cases.said("hijacked-thread") == [*said, said[0], "I could not post it."]


def test_a_run_without_a_thread_is_a_session(cases: Cases) -> None:
    told = cases.told("hijacked-alone")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    (records,) = cases.unnamed()
    kinds = [record["kind"] for record in records]
    assert kinds[:2] == ["session.started", "message.user"] and "tool.denied" in kinds
    assert kinds[-1] == "session.ended"


def test_an_agent_that_is_a_tool_belongs_to_the_session_of_its_caller(cases: Cases) -> None:
    cases.check_nested("hijacked-nested")


@pytest.mark.parametrize("how", ["", "-async", "-command"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


@pytest.mark.parametrize("how", ["", "-async"])
def test_parallel_calls_are_judged_one_by_one(cases: Cases, how: str) -> None:
    cases.check_parallel(f"parallel{how}")


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()
    assert "ValueError: no route" in cases.told("broken")["error"]


@pytest.mark.parametrize("how", ["", "-async"])
def test_a_held_call_interrupts_the_graph(cases: Cases, how: str) -> None:
    """Whoever resumes it decides nothing; the call runs once, with what an operator approved."""
    cases.check_edited(f"held-interrupt{how}")
    assert "`pay` refused: approval `" in cases.told(f"held-interrupt{how}")["error"]
    (asked,) = cases.records(f"held-interrupt{how}", "approval.requested")
    assert asked["call"] == "c1"


def test_arguments_are_judged_as_the_tool_gets_them(cases: Cases) -> None:
    cases.check_converted("worded")


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("langchain")
