"""The adapter of Google ADK, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import LONG, Cases

pytestmark = LONG
CASES = """
hijacked hijacked-stream hijacked-threads hijacked-nested hijacked-meddled hijacked-silent
hijacked-isolated hijacked-code hijacked-code_unseen
honest honest-stream parallel parallel-threads repeated broken held
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("google-adk", "google_adk_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-stream", "-threads"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    cases.check_refused(f"hijacked{how}")
    assert {r["session"] for r in cases.records(f"hijacked{how}")} == {f"app:ada:hijacked{how}"}


def test_an_agent_that_is_a_tool_belongs_to_the_session_of_its_caller(cases: Cases) -> None:
    """The framework runs it in a session of its own, which knows nothing of the secret."""
    cases.check_nested("hijacked-nested")


def test_arguments_are_judged_as_the_agents_own_callback_left_them(cases: Cases) -> None:
    """It runs behind every plugin, and may change them."""
    cases.check_refused("hijacked-meddled", said=False)
    (asked,) = cases.records("hijacked-meddled", "tool.requested")
    assert asked["args"] == {"path": "/secrets/key"}


@pytest.mark.parametrize(
    ("how", "ran"), [("isolated", [["read_file", "/secrets/key"]]), ("code", [])]
)
def test_what_would_run_unasked_is_not_accepted(cases: Cases, how: str, ran: list[str]) -> None:
    """An agent as a tool without plugins, and code that the model writes."""
    told = cases.told(f"hijacked-{how}")
    assert told["ran"] == ran
    assert "nothing would ask for its calls" in told["error"]


def test_what_is_named_may_run_unasked(cases: Cases) -> None:
    cases.check_refused("hijacked-code_unseen")


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


@pytest.mark.parametrize("how", ["", "-threads"])
def test_parallel_calls_are_judged_one_by_one(cases: Cases, how: str) -> None:
    cases.check_parallel(f"parallel{how}")


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("google_adk")
