"""The adapter of smolagents, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import LONG, POST, Cases

pytestmark = LONG
CASES = """
hijacked hijacked-stream hijacked-managed hijacked-silent hijacked-code hijacked-code_class
hijacked-code_closure hijacked-code_elsewhere honest honest-stream honest-code parallel repeated
broken held held-code
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("smolagents", "smolagents_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-stream"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    cases.check_refused(f"hijacked{how}")


def test_code_ends_at_a_refused_call(cases: Cases) -> None:
    """The code does not get our sentence as a value; the model reads it as an error."""
    told = cases.told("hijacked-code")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    assert "refused before it ran: no post after a secret was read" in told["read"][1][1]
    assert told["final"] == "I could not post it."
    (denied,) = cases.records("hijacked-code", "tool.denied")
    assert denied["tool"] == "http_post"


@pytest.mark.parametrize("how", ["class", "closure"])
def test_code_does_not_reach_the_function_behind_a_tool(cases: Cases, how: str) -> None:
    told = cases.told(f"hijacked-code_{how}")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    assert "Code execution failed" in told["read"][1][1]


def test_code_that_would_run_elsewhere_is_not_accepted(cases: Cases) -> None:
    """Its tools could not ask; nothing runs at all."""
    told = cases.told("hijacked-code_elsewhere")
    assert told["ran"] == []
    assert told["error"].startswith("SettingError: `Elsewhere` runs tools where they cannot ask")


def test_managed_agents_belong_to_the_session(cases: Cases) -> None:
    """What they say is not said to the user."""
    assert cases.told("hijacked-managed")["ran"] == [["read_file", "/secrets/key"]]
    (denied,) = cases.records("hijacked-managed", "tool.denied")
    assert (denied["tool"], denied["call"]) == ("http_post", "c2")
    assert cases.said("hijacked-managed") == [
        "[user] asks: do it",
        "I read the file first.",
        "I could not post it.",
    ]


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


def test_honest_code_is_untouched(cases: Cases) -> None:
    """Each piece of code is a call, too."""
    told = cases.told("honest-code")
    assert told["ran"] == [["read_file", "/notes"], POST] and told["final"] == "Done."
    done = [r["tool"] for r in cases.records("honest-code", "tool.completed")]
    code = "python_interpreter"
    assert done == ["read_file", code, "http_post", code, code]


def test_code_gets_the_arguments_that_were_approved(cases: Cases) -> None:
    assert cases.told("held-code")["ran"] == [["pay", 1]]
    assert "paid 1" in cases.told("held-code")["read"][0][1]


def test_parallel_calls_are_judged_one_by_one(cases: Cases) -> None:
    assert cases.told("parallel")["ran"] == [["read_file", "/secrets/key"], ["read_file", "/a"]]
    denied = {r["call"] for r in cases.records("parallel", "tool.denied")}
    assert denied == {"p0", "p1", "p2"}


def test_what_holds_of_every_framework(cases: Cases) -> None:
    """Ids that come again, a tool that fails, edited arguments, messages that are switched off."""
    cases.check_the_rest()


def test_types(cases: Cases) -> None:
    """The library has no types; the adapter has."""
    cases.environment.check_types("smolagents")
