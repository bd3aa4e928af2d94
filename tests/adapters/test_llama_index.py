"""The adapter of LlamaIndex, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import LONG, Cases

pytestmark = LONG
CASES = """
hijacked hijacked-whole hijacked-react hijacked-context hijacked-handing hijacked-code
hijacked-silent honest honest-whole honest-context parallel repeated broken held paused
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("llama-index", "llama_index_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-whole", "-context"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    """Streamed or not; also if the tool gets the context of the workflow."""
    cases.check_refused(f"hijacked{how}")


def test_an_agent_that_writes_its_calls_as_text_is_refused(cases: Cases) -> None:
    """The ids of its calls are the framework's."""
    ids = [call for call, _ in cases.told("hijacked-react")["read"]]
    cases.check_refused("hijacked-react", call=ids[1], said=False)


def test_agents_of_a_workflow_are_judged_together(cases: Cases) -> None:
    """One reads the secret, another would post; handing over is a call of its own."""
    told = cases.told("hijacked-handing")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    assert told["final"] == "I could not post it."
    asked = cases.records("hijacked-handing", "tool.requested", "tool.denied")
    assert [(r["tool"], r["call"]) for r in asked] == [
        ("read_file", "c1"),
        ("handoff", "h1"),
        ("http_post", "c2"),
    ]


def test_an_agent_whose_code_calls_functions_is_not_accepted(cases: Cases) -> None:
    """They would not be asked for; nothing runs at all."""
    told = cases.told("hijacked-code")
    assert told["ran"] == []
    assert told["error"].startswith("SettingError: `coder` writes code")


@pytest.mark.parametrize("how", ["", "-whole", "-context"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


def test_arguments_that_the_developer_has_fixed_are_judged(cases: Cases) -> None:
    """And the context, which no event could contain, is left out."""
    (_, post) = cases.records("honest-context", "tool.requested")
    assert post["args"] == {"body": "fixed", "url": "https://paste.example/x"}
    assert "attributes" not in post


def test_parallel_calls_are_judged_one_by_one(cases: Cases) -> None:
    cases.check_parallel("parallel")


def test_a_tool_that_pauses_is_asked_for_again(cases: Cases) -> None:
    cases.check_paused("paused", "WaitingForEvent")


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("llama_index")
