"""The adapter of the Microsoft Agent Framework, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import LONG, Cases

pytestmark = LONG
CASES = """
hijacked hijacked-stream hijacked-given hijacked-alone hijacked-alone_stream hijacked-nested
hijacked-nested_stream hijacked-silent honest honest-stream parallel parallel-stream repeated
broken held
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    folder = tmp_path_factory.mktemp("cases")
    return Cases("agent-framework", "agent_framework_agents.py", folder, CASES)


@pytest.mark.parametrize("how", ["", "-stream", "-given"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    """Also in a session that the user has opened."""
    cases.check_refused(f"hijacked{how}")


def test_a_run_without_a_session_has_one_of_its_own(cases: Cases) -> None:
    """It ends with the run, which for a streamed one is when its stream was read."""
    for how in ("alone", "alone_stream"):
        assert cases.told(f"hijacked-{how}")["ran"] == [["read_file", "/secrets/key"]]
    plain, streamed = cases.unnamed()
    for records in (plain, streamed):
        assert [r["call"] for r in records if r["kind"] == "tool.denied"] == ["c2"]
        assert records[-1]["kind"] == "session.ended" and "error" not in records[-1]


@pytest.mark.parametrize("how", ["", "_stream"])
def test_an_agent_that_is_a_tool_belongs_to_the_session_of_its_caller(
    cases: Cases, how: str
) -> None:
    cases.check_nested(f"hijacked-nested{how}")


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


@pytest.mark.parametrize("how", ["", "-stream"])
def test_parallel_calls_are_judged_one_by_one(cases: Cases, how: str) -> None:
    cases.check_parallel(f"parallel{how}")


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("agent_framework")
