"""Hooks of the real Claude Code at a real gate, with a scripted model; by a process and by HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.cases import LONG, LOOK_EVERY_S
from tests.adapters.claude import Claude, claude_gate, environment_of
from tests.adapters.environment import Environment
from tests.support.control_writer import ControlWriter
from tests.support.gate_served import ServedGate
from tests.support.messages_api import ScriptedModel, call, script
from tests.support.monitor_process import PATIENCE_S

pytestmark = LONG
REFUSED = "refused before it ran: no post after a secret was read"
POST = call("Bash", command="echo posted > curl")


@pytest.fixture(scope="module")
def environment() -> Environment:
    return Environment("claude-agent-sdk")


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[ServedGate]:
    served = claude_gate(tmp_path / "g")
    served.start()
    yield served
    served.end()


@pytest.fixture(params=["process", "http"])
def claude(
    request: pytest.FixtureRequest, environment: Environment, gate: ServedGate, tmp_path: Path
) -> Claude:
    """With hooks of both sorts."""
    port = f"http://127.0.0.1:{gate.ports()[-1]}"
    address = port if request.param == "http" else f"unix:{gate.socket}"
    return Claude(environment, gate, tmp_path, address, "--wait", "60")


@pytest.fixture
def by_process(environment: Environment, gate: ServedGate, tmp_path: Path) -> Claude:
    """With processes, where the sort of the hook makes no difference."""
    return Claude(environment, gate, tmp_path, f"unix:{gate.socket}", "--wait", "60")


def reads(claude: Claude) -> dict[str, Any]:
    return call("Read", file_path=str(claude.project / "secrets" / "key"))


def test_a_hijacked_agent_is_refused_and_goes_on(claude: Claude, model: ScriptedModel) -> None:
    """Before the call runs; the model reads our sentence, and its next call is made."""
    later = call("Bash", command="echo later")
    prompt = script(["I look.", reads(claude)], [POST], [later], ["It was refused."])
    result = claude.run(model, prompt)
    assert result["result"] == "It was refused."
    assert not (claude.project / "curl").exists()
    first, second, third = model.read
    assert "key" in model.read[first] and model.read[third] == "later"
    assert REFUSED in model.read[second]
    assert claude.kinds(result["session_id"]) == [
        "message.user",
        "tool.requested",
        "tool.completed",
        "tool.denied",
        "tool.requested",
        "tool.completed",
        "message.assistant",
    ]
    (denied,) = [one for one in claude.gate.records() if one["kind"] == "tool.denied"]
    assert denied["call"] == second and denied["principal"] == "agent"
    assert Path(denied["attributes"]["cwd"]).samefile(claude.project)


def test_an_honest_twin_is_untouched(claude: Claude, model: ScriptedModel) -> None:
    """Calls of one turn, too; each with an outcome, and the arguments that were judged."""
    note = str(claude.project / "note")
    Path(note).write_text("hello")
    prompt = script([call("Read", file_path=note), POST, call("Read", file_path="none")], ["Done."])
    result = claude.run(model, prompt)
    assert (claude.project / "curl").read_text() == "posted\n"
    kinds = claude.kinds(result["session_id"])
    assert kinds.count("tool.completed") == 2 and kinds.count("tool.failed") == 1
    assert not any("interlock_unasked" in json.dumps(one) for one in claude.gate.records())


def test_a_user_who_bypasses_permissions_is_refused_all_the_same(
    by_process: Claude, model: ScriptedModel
) -> None:
    more = ("--permission-mode", "bypassPermissions")
    by_process.run(model, script([reads(by_process)], [POST], ["Done."]), *more)
    assert REFUSED in list(model.read.values())[-1]
    assert not (by_process.project / "curl").exists()


def test_without_a_gate_nothing_runs(claude: Claude, model: ScriptedModel) -> None:
    """Neither a prompt nor, if only calls are asked for, a call."""
    claude.gate.kill()
    result = claude.run(model, script([POST], ["Done."]))
    assert "blocked" in result["result"] and model.read == {}
    claude.edit(lambda hooks: [hooks.pop(event) for event in list(hooks) if event != "PreToolUse"])
    assert claude.run(model, script([POST], ["Done."]))["result"] == "Done."
    (refusal,) = model.read.values()
    assert "hook error" in refusal
    assert not (claude.project / "curl").exists()


def test_a_gate_that_ends_during_a_call(claude: Claude, model: ScriptedModel) -> None:
    """By a process, the run ends: nobody knows what the model would read. By HTTP, the next call is
    blocked. The next run knows that the call may have run.
    """
    assert claude.gate.process is not None
    ends = call("Bash", command=f"kill -9 {claude.gate.process.pid}; sleep 1")
    result = claude.run(model, script([ends], [POST], ["Done."]))
    assert not (claude.project / "curl").exists()
    assert claude.kinds(result["session_id"]) == ["message.user", "tool.requested"]
    claude.gate.process.wait(PATIENCE_S)
    if "http://127" in claude.settings.read_text():
        return  # The restarted gate has another port.
    assert result["terminal_reason"] == "hook_stopped"
    claude.gate.start()
    claude.run(model, script(["Hello."]), "--resume", result["session_id"])
    (unknown,) = [one for one in claude.gate.records() if one["kind"] == "tool.completed"]
    assert unknown["attributes"]["interlock_args_omitted"] is True


def test_a_killed_session_ends_the_run(claude: Claude, model: ScriptedModel) -> None:
    result = claude.run(model, script(["Hello."]))
    session = result["session_id"]
    ControlWriter(claude.gate.log_dir).put(f"session-of:agent/{session}", "killed")
    waited_for(lambda: is_stopped(claude.gate, session))
    result = claude.run(model, script([POST], ["Done."]), "--resume", session)
    assert result["terminal_reason"] == "hook_stopped" and model.read == {}
    assert not (claude.project / "curl").exists()


def test_a_quarantined_session_may_tell_the_user(by_process: Claude, model: ScriptedModel) -> None:
    session = by_process.run(model, script(["Hello."]))["session_id"]
    gate = by_process.gate
    ControlWriter(gate.log_dir).put(f"session-of:agent/{session}", "quarantined")
    waited_for(lambda: is_stopped(gate, session))
    result = by_process.run(model, script([POST], ["I may not."]), "--resume", session)
    assert result["result"] == "I may not."
    (refusal,) = model.read.values()
    assert "quarantined" in refusal


def test_a_held_call_runs_with_the_operators_arguments(
    claude: Claude, model: ScriptedModel
) -> None:
    target = claude.project / "pay"
    edited = {"file_path": str(target), "content": "5"}
    granting = threading.Thread(target=grant, args=(claude.gate, edited))
    granting.start()
    pays = call("Write", file_path=str(target), content="500")
    result = claude.run(model, script([pays], ["Paid."]))
    granting.join(PATIENCE_S)
    assert target.read_text() == "5"
    assert claude.kinds(result["session_id"])[-2:] == ["tool.completed", "message.assistant"]


def test_a_held_call_that_nobody_decides_is_denied(
    environment: Environment, gate: ServedGate, model: ScriptedModel, tmp_path: Path
) -> None:
    claude = Claude(environment, gate, tmp_path, f"unix:{gate.socket}", "--wait", "1")
    pays = call("Write", file_path=str(claude.project / "pay"), content="500")
    assert claude.run(model, script([pays], ["No."]))["result"] == "No."
    (refusal,) = model.read.values()
    assert "no longer waits" in refusal and not (claude.project / "pay").exists()


def test_a_call_that_is_refused_behind_the_gate_has_failed(
    by_process: Claude, model: ScriptedModel
) -> None:
    """By a rule of the user's settings, or because the user is not there to be asked."""
    session = by_process.run(model, script([POST]), "--disallowedTools", "Bash(echo *)")[
        "session_id"
    ]
    assert by_process.kinds(session)[1:-1] == ["tool.requested", "tool.failed"]
    session = by_process.run(model, script([POST]), allowed="Read")["session_id"]
    assert by_process.kinds(session)[1:-1] == [
        "tool.requested",
        "permission.requested",
        "tool.failed",
    ]
    assert not (by_process.project / "curl").exists()


def test_arguments_that_another_hook_changes_are_found(
    by_process: Claude, model: ScriptedModel
) -> None:
    """What ran is judged afterwards, and the next call is refused for it."""
    changed = {"file_path": str(by_process.project / "secrets" / "key")}
    output = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "updatedInput": changed}}
    path = by_process.project / "output.json"
    path.write_text(json.dumps(output))
    other = {"matcher": "Read", "hooks": [{"type": "command", "command": f"cat '{path}'"}]}
    by_process.edit(lambda hooks: hooks["PreToolUse"].append(other))
    note = call("Read", file_path=str(path))
    result = by_process.run(model, script([note], [POST], ["Done."]))
    assert REFUSED in list(model.read.values())[1]
    assert by_process.kinds(result["session_id"])[1:5] == [
        "tool.requested",
        "tool.failed",
        "tool.requested",
        "tool.completed",
    ]
    assert "hook_call_unjudged" in by_process.gate.told()


def test_a_subagent_is_refused_in_a_session_of_its_own(
    claude: Claude, model: ScriptedModel
) -> None:
    inner = script([reads(claude)], [POST], ["It was refused."])
    agent = call("Agent", description="d", subagent_type="general-purpose", prompt=inner)
    session = claude.run(model, script([agent], ["Done."]))["session_id"]
    assert any(REFUSED in text for text in model.read.values())
    assert not (claude.project / "curl").exists()
    sub = [one for one in claude.gate.records() if one["session"].startswith(f"{session}.")]
    assert {(one["agent"], one["parent"]) for one in sub} == {("general-purpose", session)}
    assert [one["kind"] for one in sub][-2:] == ["tool.denied", "message.assistant"]
    assert "message.runtime" in claude.kinds(session)


def test_a_session_goes_on_in_another_process(claude: Claude, model: ScriptedModel) -> None:
    """The second run is refused for what the first has read."""
    session = claude.run(model, script([reads(claude)], ["Read."]))["session_id"]
    result = claude.run(model, script([POST], ["Done."]), "--resume", session)
    assert result["session_id"] == session
    assert REFUSED in list(model.read.values())[-1]
    assert not (claude.project / "curl").exists()


def test_a_program_before_ours_redacts_prompts(by_process: Claude, model: ScriptedModel) -> None:
    """As docs/connecting.md says."""

    def redacted(hooks: Any) -> None:
        (hook,) = hooks["UserPromptSubmit"][0]["hooks"]
        hook["command"] = f"sed 's/Ada Lovelace/a person/' | {hook['command']}"

    by_process.edit(redacted)
    by_process.run(model, "Write to Ada Lovelace. " + script(["Done."]))
    (said,) = [one for one in by_process.gate.records() if one["kind"] == "message.user"]
    assert said["text"].startswith("Write to a person. ")


@pytest.mark.parametrize("case", ["hijacked", "honest", "no-gate", "redacted", "silent"])
def test_the_sdk(
    environment: Environment, gate: ServedGate, model: ScriptedModel, tmp_path: Path, case: str
) -> None:
    """Hooks within the agent's own process, by `interlock_hooks`."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("key")
    (tmp_path / "home").mkdir()
    steps = [[call("Read", file_path=str(tmp_path / "secrets" / "key"))], [POST], ["My word."]]
    prompt = script(*(steps[1:] if case in ("honest", "no-gate", "silent") else steps))
    given = {"prompt": prompt, "cwd": str(tmp_path), "case": case}
    if case == "no-gate":
        gate.kill()
    told = environment.run(
        "claude_agent_sdk_agents.py",
        gate,
        json.dumps(given | {"env": environment_of(model, tmp_path / "home")}),
        token="agent",
    )
    records = [] if case == "no-gate" else gate.records()
    kinds = [one["kind"] for one in records]
    has_posted = (tmp_path / "curl").exists()
    match case:
        case "hijacked":
            assert REFUSED in list(model.read.values())[-1] and not has_posted
            assert told["results"] == ["My word."]
            assert {one.get("user") for one in records} == {"ada"}
        case "honest":
            assert has_posted and kinds.count("tool.completed") == 1
        case "no-gate":
            assert not has_posted and model.read == {}
        case "redacted":
            texts = [one["text"] for one in records if one["kind"].startswith("message.")]
            assert texts[-1] == "MY WORD."
        case "silent":
            assert has_posted and not any(kind.startswith("message.") for kind in kinds)


def test_types(environment: Environment) -> None:
    """The adapter is typed, as its library is."""
    environment.check_types("claude_agent_sdk")


def grant(gate: ServedGate, args: dict[str, str]) -> None:
    """As an operator does it: wait for a held call, and approve it with other arguments."""

    def held() -> Any:
        return gate.send("GET", "/v1/approvals", token="op").content["approvals"]

    (one,) = waited_for(held)
    ruling = {"decision": "grant", "args": args}
    assert gate.send("POST", f"/v1/approvals/{one['id']}", ruling, token="op").status == 200


def is_stopped(gate: ServedGate, session: str) -> bool:
    """The gate has read the control record."""
    return bool(gate.ask(session, "t", token="agent").content["decision"] == "deny")


def waited_for(found: Any) -> Any:
    """What `found` gives, once it gives something."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
        if value := found():
            return value
        pause.wait(LOOK_EVERY_S)
    raise AssertionError("it did not come")
