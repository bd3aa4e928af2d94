"""`docs/clients/vercel_ai.ts`, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import LONG, Cases

pytestmark = LONG
CASES = """
hijacked hijacked-stream hijacked-pieces hijacked-mute honest honest-stream honest-pieces
honest-long parallel repeated broken held
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """The compiler checks the client with the library's own types, strictly."""
    return Cases("vercel-ai", "vercel_ai_agents.ts", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-stream", "-pieces"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    """Also if a tool gives its result in pieces."""
    cases.check_refused(f"hijacked{how}", said=False)


def test_without_an_outcome_no_further_call_is_made(cases: Cases) -> None:
    """The gate cannot judge a call whose past it lacks."""
    told = cases.told("hijacked-mute")
    assert told["ran"] == [["read_file", "/secrets/key"]]
    assert [text for _, text in told["read"]] == [
        "Error: lost",
        "Refused: This call was not made: the gate lacks an earlier outcome.",
    ]


@pytest.mark.parametrize("how", ["", "-stream", "-pieces"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


def test_a_result_that_does_not_fit_is_cut(cases: Cases) -> None:
    """The model reads all of it; the event states that a part is missing. Half a character, which
    JSON cannot contain, is replaced.
    """
    assert len(cases.told("honest-long")["ran"]) == 2
    (cut, whole) = cases.records("honest-long", "tool.completed")
    assert cut["result"] == "a" + 99_999 * "\N{GRINNING FACE}" + "\N{REPLACEMENT CHARACTER}"
    assert cut["attributes"]["interlock_result_length"] == 300_001
    assert whole["result"] == "200" and "attributes" not in whole


def test_parallel_calls_are_judged_one_by_one(cases: Cases) -> None:
    cases.check_parallel("parallel")


def test_an_id_that_comes_again_is_a_call_of_its_own(cases: Cases) -> None:
    cases.check_repeated("repeated")


def test_a_tool_that_fails_is_reported(cases: Cases) -> None:
    (failed,) = cases.records("broken", "tool.failed")
    assert (failed["call"], failed["error"]) == ("c1", "Error: no route")
    assert cases.told("broken")["read"] == [["c1", "Error: no route"]]


def test_a_held_call_runs_with_the_arguments_that_were_approved(cases: Cases) -> None:
    cases.check_edited("held")
