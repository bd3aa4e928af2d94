"""`interlock init claude-code`: the settings that it makes of those that are there."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from interlock import claude_relay
from invariants.model.errors import ConfigError
from monitor.cli.__main__ import main
from monitor.gate_server.bounds import Bounds
from monitor.gate_server.routes import find_page
from monitor.setup import claude_code

SOCKET = "unix:/run/interlock/gate.sock"
OWN: dict[str, Any] = {
    "permissions": {"deny": ["Bash(rm *)"]},
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "./mine.sh é"}]}
        ],
        "Notification": [{"hooks": [{"type": "command", "command": "notify"}]}],
    },
    "model": "x",
}


def init(folder: Path, *more: str, gate: str = SOCKET) -> int:
    """The command on a file of settings in a folder."""
    settings = folder / ".claude" / "settings.json"
    return main(["init", "claude-code", "--gate", gate, "--settings", str(settings), *more])


def written(folder: Path) -> Any:
    return json.loads((folder / ".claude" / "settings.json").read_text())


def with_own(folder: Path, settings: object = OWN) -> Path:
    path = folder / ".claude" / "settings.json"
    path.parent.mkdir()
    text = settings if isinstance(settings, str) else json.dumps(settings, ensure_ascii=False)
    path.write_text(text)
    return path


def test_every_event_gets_a_hook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed hook of a call, a prompt or an outcome blocks; a call has time for an operator."""
    assert init(tmp_path) == 0
    hooks = written(tmp_path)["hooks"]
    told = capsys.readouterr().out
    blocking = []
    for event, groups in hooks.items():
        assert event in told
        ((hook,),) = [group["hooks"] for group in groups]
        words = shlex.split(hook["command"])
        assert words[1:4] == ["-I", "-S", claude_relay.__file__]
        assert words[4:6] == ["/run/interlock/gate.sock", event]
        query = dict(parse_qsl(words[6]))
        assert query.pop("event") == event
        wait_s = int(query.pop("wait_s"))
        assert query == {}
        assert (wait_s > 0) is (event == "PreToolUse")
        assert hook["timeout"] > wait_s + claude_relay.SPARE_S
        blocking += [event] if hook.get("onFailure") == "block" else []
    assert set(blocking) == {*claude_relay.BLOCKING, *claude_relay.OUTCOMES}
    assert blocking[0] == "PreToolUse" and "Stop" in hooks and "SessionEnd" in hooks


def test_over_a_port_the_token_is_that_of_the_environment(tmp_path: Path) -> None:
    """It stands in no file."""
    assert init(tmp_path, gate="http://localhost:8181") == 0
    for event, ((group),) in written(tmp_path)["hooks"].items():
        (hook,) = group["hooks"]
        assert hook["type"] == "http"
        assert hook["headers"] == {"Authorization": "Bearer $INTERLOCK_GATE_TOKEN"}
        assert hook["allowedEnvVars"] == ["INTERLOCK_GATE_TOKEN"]
        path, _, query = hook["url"].removeprefix("http://127.0.0.1:8181").partition("?")
        assert find_page("POST", path).page.name == "claude_code_hook"
        assert query.startswith(f"event={event}&wait_s=")


def test_all_else_stays(tmp_path: Path) -> None:
    """In its order, and hooks of others run as before."""
    with_own(tmp_path)
    assert init(tmp_path) == 0
    after = written(tmp_path)
    assert list(after) == list(OWN)
    assert after["hooks"]["PreToolUse"][0] == OWN["hooks"]["PreToolUse"][0]
    assert after["hooks"]["Notification"] == OWN["hooks"]["Notification"]
    assert len(after["hooks"]["PreToolUse"]) == 2


@pytest.mark.parametrize("gate", [SOCKET, "http://localhost:8181"])
def test_a_second_run_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gate: str
) -> None:
    path = with_own(tmp_path)
    init(tmp_path, gate=gate)
    before = path.read_bytes()
    capsys.readouterr()
    assert init(tmp_path, gate=gate) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_another_gate_replaces_the_first(tmp_path: Path) -> None:
    init(tmp_path, gate="http://localhost:8181")
    init(tmp_path, "--wait", "5")
    text = json.dumps(written(tmp_path))
    assert "http" not in text and "wait_s=5'" in text


def test_hooks_are_taken_out_again(tmp_path: Path) -> None:
    """What is left is what was there, also within a group that somebody has merged."""
    path = with_own(tmp_path)
    init(tmp_path)
    settings = written(tmp_path)
    ours = settings["hooks"]["PreToolUse"].pop()["hooks"]
    settings["hooks"]["PreToolUse"][0]["hooks"] += ours
    path.write_text(json.dumps(settings))
    assert init(tmp_path, "--remove") == 0
    assert written(tmp_path) == OWN
    path.write_text("{}")
    init(tmp_path)
    init(tmp_path, "--remove")
    assert written(tmp_path) == {}


def test_check_and_print_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = with_own(tmp_path)
    before = path.read_bytes()
    assert init(tmp_path, "--check") == 1
    assert "would be changed" in capsys.readouterr().out
    assert init(tmp_path, "--print") == 0
    printed = capsys.readouterr().out
    assert path.read_bytes() == before
    init(tmp_path)
    assert path.read_text() == printed
    assert init(tmp_path, "--check") == 0


def test_messages_are_left_out_on_demand(tmp_path: Path) -> None:
    init(tmp_path, "--no-messages")
    hooks = written(tmp_path)["hooks"]
    assert "UserPromptSubmit" not in hooks and "Stop" not in hooks and "PostToolUse" in hooks


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be read"),
        ("[]", "does not contain a JSON object"),
        ('{"hooks": []}', "`hooks` is not an object of lists"),
        ('{"hooks": {"Stop": {}}}', "`hooks` is not an object of lists"),
        ('{"model": 1, "model": 2}', "contains the key `model` twice"),
        ('{"disableAllHooks": true}', "no hook would run"),
        ("[" * 100_000, "cannot be read"),
        ("// a comment\n{}", "cannot be read"),
    ],
)
def test_a_file_that_is_not_understood_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    path = with_own(tmp_path, text)
    assert init(tmp_path) == 2
    told = capsys.readouterr().err
    assert why in told and "first" in told and str(path) in told
    assert path.read_text() == text


@pytest.mark.parametrize("hooks", [[1], [{}], [{"hooks": 1}], [{"hooks": [1, {"command": 5}]}]])
def test_hooks_in_another_form_stay(tmp_path: Path, hooks: list[Any]) -> None:
    """A later version of the runtime may know them."""
    with_own(tmp_path, {"hooks": {"Stop": hooks}})
    init(tmp_path)
    assert written(tmp_path)["hooks"]["Stop"][: len(hooks)] == hooks


def test_hooks_that_another_file_switches_off_are_not_promised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may have come with the repository. A file that cannot be read switches off nothing."""
    beside = with_own(tmp_path).with_name("settings.local.json")
    beside.write_text('{"disableAllHooks": true}')
    assert init(tmp_path) == 2 and "`disableAllHooks`" in capsys.readouterr().err
    assert written(tmp_path) == OWN
    beside.write_text("{")
    assert init(tmp_path) == 0


def test_access_and_a_link_stay(tmp_path: Path) -> None:
    """The file is replaced as a whole, where it is."""
    path = with_own(tmp_path)
    real = tmp_path / "real.json"
    path.rename(real)
    path.symlink_to(real)
    real.chmod(0o600)
    init(tmp_path)
    assert path.is_symlink() and real.stat().st_mode & 0o777 == 0o600
    assert "PreToolUse" in json.loads(real.read_text())["hooks"]
    assert sorted(one.name for one in tmp_path.iterdir()) == [".claude", "real.json"]


@pytest.mark.parametrize(
    "gate",
    [
        "gate.sock",
        "http://example.com:80",
        "unix:" + "x" * 200,
        "unix:",
        f"{SOCKET},http://localhost:1",
    ],
)
def test_an_address_that_is_not_a_gates_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gate: str
) -> None:
    assert init(tmp_path, gate=gate) == 2
    assert "--gate" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_wait_has_the_gates_bound(tmp_path: Path) -> None:
    bound = Bounds().hook_wait_s_max
    assert init(tmp_path, "--wait", str(bound)) == 0
    assert init(tmp_path, "--wait", str(bound + 1)) == 2


def test_a_path_with_blanks_is_one_word() -> None:
    """And is found again as ours."""
    entry = claude_code.command("/a b/python", "/a b/claude_relay.py", "/a b/s")
    ours = claude_code.hooks(entry, wait_s=1, has_messages=True)
    words = shlex.split(ours["Stop"]["hooks"][0]["command"])
    assert words[:6] == ["/a b/python", "-I", "-S", "/a b/claude_relay.py", "/a b/s", "Stop"]
    assert claude_code.merged(claude_code.merged({}, ours, "f"), {}, "f") == {}


def test_names_are_those_of_the_sessions(tmp_path: Path) -> None:
    init(tmp_path, "--agent", "coder 1", "--user", "ada&b")
    for event, ((group),) in written(tmp_path)["hooks"].items():
        words = shlex.split(group["hooks"][0]["command"])
        query = dict(parse_qsl(words[6], strict_parsing=True))
        assert (query["event"], query["agent"], query["user"]) == (event, "coder 1", "ada&b")


def test_a_name_that_a_gate_would_refuse_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else every event would be."""
    assert init(tmp_path, "--user", "ada\n") == 2
    assert "`--user`" in capsys.readouterr().err


def test_faults_are_of_one_type() -> None:
    with pytest.raises(ConfigError):
        claude_code.settings_of("{", "f")
