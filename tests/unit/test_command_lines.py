"""`command_lines`: the commands within the arguments of a tool, in every shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.cel import evaluate, fails

NAMES = '["command", "commands", "cmd", "run", "argv"]'


def found(arguments: dict[str, Any]) -> Any:
    return evaluate(f"command_lines({NAMES}, args)", args=arguments)


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        ({}, []),
        ({"cmd": "ls"}, ["ls"]),
        ({"CMD": "ls", "text": "pwd"}, ["ls"]),
        ({"argv": ["rm", "-r", None, "x"]}, [["rm", "-r", "x"]]),
        ({"command": "rm", "args": ["-r", "x"]}, [["rm", "-r", "x"]]),
        ({"command": "rm", "arguments": "-r x"}, ["rm -r x"]),
        ({"command": "rm", "args": []}, ["rm"]),
        ({"command": "rm", "args": {"x": 1}}, ["rm"]),
        ({"action": {"command": ["bash", "-lc", "ls"]}}, [["bash", "-lc", "ls"]]),
        ({"command": {"cmd": "ls"}}, ["ls"]),
        ({"steps": [{"run": "ls"}, {"tool": "b", "args": {"cmd": "pwd"}}]}, ["ls", "pwd"]),
        ({"commands": ["ls", "pwd"]}, ["ls", "pwd"]),
        ({"command": [["ls"], {"run": "pwd"}]}, [["ls"], "pwd"]),
        ({"payload": '{"command": "ls"}'}, ["ls"]),
        ({"command": '["ls", "-l"]'}, [["ls", "-l"]]),
        ({"command": '{"cmd": "ls"}'}, ["ls"]),
        ({"command": "{ ls; }"}, ["{ ls; }"]),
        ({"content": '{"command": "ls"}', "file_text": '{"cmd": "ls"}'}, []),
        ({"command": None, "run": True}, []),
    ],
)
def test_a_command_is_found_in_every_shape(arguments: dict[str, Any], commands: list[Any]) -> None:
    """By name, apart from its words, nested, one of several, and in JSON."""
    assert found(arguments) == commands


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ({"cwd": "/a"}, "cd /a\nls"),
        ({"workingDirectory": "~/x"}, "cd ~/x\nls"),
        ({"workdir": "/a b"}, "cd '/a b'\nls"),
        ({"cwd": "C:\\a"}, "cd C:\\a\nls"),
        ({"cwd": "src"}, "ls"),
        ({"cwd": None}, "ls"),
        ({"dirt": "/a"}, "ls"),
    ],
)
def test_a_folder_is_entered_before_a_command(folder: dict[str, Any], line: str) -> None:
    """If it is absolute, or below a home."""
    assert found({"command": "ls", **folder}) == [line]


def test_a_folder_before_words_makes_them_a_line() -> None:
    """Words are quoted as a shell needs them."""
    assert found({"argv": ["ls", "a b"], "cwd": "/"}) == ["cd /\nls 'a b'"]
    assert found({"argv": ["ls", 5], "cwd": "/"}) == [["ls", 5]]


def test_unreadable_commands_are_kept() -> None:
    """A value that is not a command stays, so that reading it fails."""
    assert found({"command": {"verb": "ls"}}) == [{"verb": "ls"}]
    assert found({"command": 5}) == [5]
    assert fails(
        f"command_lines({NAMES}, args).exists(t, size(usual_commands(t)) > 0)", args={"cmd": 5}
    )


def test_json_within_json_ends() -> None:
    """At the third text; deeper ones are shell text."""
    inner: Any = "ls"
    for _ in range(2):
        inner = json.dumps({"cmd": inner})
    assert found({"x": inner}) == ["ls"]


def test_faulty_arguments() -> None:
    """Names are a list of texts, arguments a map."""
    assert fails("command_lines(args.x, args)", args={"x": "a"})
    assert fails("command_lines(args.x, args)", args={"x": [1]})
    assert fails("command_lines(args.x, args)", args={"x": ["a"] * 101})
    assert fails("command_lines(['a'], args.x)", args={"x": ["a"]})
    assert fails("command_lines(['a?'], args)", args={"a": "x"})


def test_long_texts_are_not_read() -> None:
    """JSON beyond the length of a string of the language fails, as everywhere."""
    assert fails(f"command_lines({NAMES}, args)", args={"x": "[" + "1," * 200_000 + "1]"})
    assert found({"x": "[" * 2_000, "y": "[1"}) == []
