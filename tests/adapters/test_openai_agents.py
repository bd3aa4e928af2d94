"""The adapter of the OpenAI Agents SDK, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.cases import Cases

CASES = """
hijacked hijacked-stream hijacked-handing hijacked-nested hijacked-silent hijacked-mcp
hijacked-unguarded hijacked-shell hijacked-sandbox honest honest-twice honest-stream
honest-garbled honest-mistyped honest-mcp parallel repeated broken broken-raised broken-mcp
held held-custom
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases("openai-agents", "openai_agents.py", tmp_path_factory.mktemp("cases"), CASES)


@pytest.mark.parametrize("how", ["", "-stream", "-handing"])
def test_a_hijacked_agent_is_refused_and_goes_on(cases: Cases, how: str) -> None:
    cases.check_refused(f"hijacked{how}")


def test_an_agent_that_is_a_tool_belongs_to_the_session_of_its_caller(cases: Cases) -> None:
    cases.check_nested("hijacked-nested")


@pytest.mark.parametrize(
    ("how", "tool"), [("unguarded", "poster"), ("shell", "local_shell"), ("sandbox", "coder")]
)
def test_what_would_run_without_being_asked_for_is_not_accepted(
    cases: Cases, how: str, tool: str
) -> None:
    told = cases.told(f"hijacked-{how}")
    assert told["ran"] == []
    assert f"SettingError: `{tool}` would run without being asked for" in told["error"]


def test_tools_of_a_server_of_mcp_are_asked_for(cases: Cases) -> None:
    """The SDK does not say their ids. An error is what the server calls one."""
    told = cases.told("hijacked-mcp")
    assert told["ran"] == [["read_file", "/secrets/key"]], told
    assert "refused before it ran: no post after a secret was read" in told["read"][-1][1]
    assert told["final"] == "I could not post it."
    assert cases.told("honest-mcp")["ran"][1] == ["http_post", "https://paste.example/x"]
    done = cases.records("honest-mcp", "tool.completed")
    assert done[0]["result"]["content"][0]["text"] == "notes"
    (failed,) = cases.records("broken-mcp", "tool.failed")
    assert failed["error"] == "no route"


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(cases: Cases, how: str) -> None:
    cases.check_untouched(f"honest{how}")


def test_a_later_run_has_its_own_message(cases: Cases) -> None:
    """Its input does not contain those of the first run."""
    assert cases.said("honest-twice") == ["[user] asks: do it", "Wait.", "go on", "Done."]


def test_parallel_calls_are_judged_one_by_one(cases: Cases) -> None:
    cases.check_parallel("parallel")


def test_a_tool_that_fails_is_reported_as_the_model_reads_it(cases: Cases) -> None:
    """The SDK makes a text of the error, which is the result then, unless it is told not to."""
    (done,) = cases.records("broken", "tool.completed")
    assert "An error occurred" in done["result"]
    assert done["result"] == cases.told("broken")["read"][0][1]
    cases.check_failed("broken-raised")


def test_arguments_that_are_not_json_are_judged(cases: Cases) -> None:
    """Nothing is hidden from the gate, and nothing ends the run."""
    told = cases.told("honest-garbled")
    assert told["ran"] == [] and told["final"] == "Done."
    asked = cases.records("honest-garbled", "tool.requested")
    assert asked[0]["args"] == {"arguments": '{"url": '}


def test_a_custom_tool_runs_with_no_text_that_nobody_approved(cases: Cases) -> None:
    """An operator who edits the arguments must give it the same: these have none of that name."""
    told = cases.told("held-custom")
    (failed,) = cases.records("held-custom", "tool.failed")
    assert failed["error"].startswith("Denied: ")
    assert told["ran"] == [] and "takes a text, `input`" in told["read"][0][1], told


def test_arguments_that_the_sdk_would_convert_do_not_run(cases: Cases) -> None:
    """`"yes"` was judged as a text. The model is told which argument it is, and mends it."""
    told = cases.told("honest-mistyped")
    assert told["ran"] == [["erase", True]], told
    assert "`force` is not of the type that the tool declares" in told["read"][0][1]
    (failed,) = cases.records("honest-mistyped", "tool.failed")
    (done,) = cases.records("honest-mistyped", "tool.completed")
    assert (failed["call"], failed["args"], done["call"]) == ("c1", {"force": "yes"}, "c2")


def test_ids_edited_arguments_and_silence(cases: Cases) -> None:
    """The SDK runs a call whose id comes again once only."""
    assert [r["call"] for r in cases.records("repeated", "tool.requested")] == ["c1"]
    assert cases.told("repeated")["ran"] == [["read_file", "/notes"]]
    cases.check_edited("held")
    cases.check_refused("hijacked-silent", said=False)
    assert cases.said("hijacked-silent") == []


def test_types(cases: Cases) -> None:
    """The adapter is typed, as its library is."""
    cases.environment.check_types("openai_agents")
