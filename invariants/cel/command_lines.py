"""`command_lines(names, args)`: the commands that the arguments of a tool contain, at any depth.

Tools take a command in many shapes: `{cmd: "ls"}`, `{action: {command: ["bash", "-c", "ls"]}}`,
`{command: "rm", args: ["-r", "x"]}`, `{steps: [{run: "ls"}]}`, `{commands: ["ls", "pwd"]}`, and
JSON in a text. Each command is a text for a shell, or the list of a program's words, as
`usual_commands` takes them. A folder in which the tool starts (`cwd`) is a `cd` in the line before
the command.

A value that may be a command in a shape that is not known is returned as it is, so that reading it
as a command fails.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from ..values.tables import table
from ..values.value import STRING_BYTES_MAX, Failure, text, type_name
from .names import Matcher, named_matcher

_MATCHERS_MAX: Final = 64  # Chosen: lists of names that are remembered; packs have about ten.
_JSON_DEPTH_MAX: Final = 3  # Chosen: JSON in a text, in the text of JSON, once more.
_NAMES_MAX: Final = 100  # Chosen: as `named_any` has it.

_WORDS: Final = named_matcher(["args", "arguments", "argv", "parameters", "params"])
_FOLDERS: Final = named_matcher(
    [
        *("cwd", "workdir", "work_dir", "working_dir", "working_directory", "directory", "dir"),
        *("current_directory", "current_dir", "workspace_dir", "chdir"),
    ]
)
# Texts that are written somewhere: JSON in them is not what the tool runs.
_WRITTEN: Final = named_matcher(
    [
        *("**content**", "**text**", "**string**", "**_str**", "**body**", "**message**"),
        *("**prompt**", "**description**", "**diff**", "**patch**", "**snippet**"),
    ]
)
_SEVERAL: Final = table("commands cmds scripts lines steps")
_IS_FOLDER: Final = re.compile(r"[/~]|[A-Za-z]:[\\/]")
_IS_PLAIN: Final = re.compile(r"[\w@%+=:,./~\\-]*\Z", re.ASCII)
_IS_JSON: Final = re.compile(r"\s*[\[{]")


def command_lines(patterns: Any, arguments: Any) -> list[Any]:
    """The commands under the names that `patterns` match, as `named_any` matches them."""
    if type(patterns) is not list:
        raise Failure(f"`command_lines` needs a list of names, not {type_name(patterns)}")
    if len(patterns) > _NAMES_MAX:
        raise Failure(f"`command_lines` of more than {_NAMES_MAX} names")
    matcher = _matcher(tuple(text(pattern, "command_lines") for pattern in patterns))
    if type(arguments) is not dict:
        raise Failure(f"`command_lines` needs a map of arguments, not {type_name(arguments)}")
    return list(_within(matcher, arguments, 0))


_matcher: Final = lru_cache(_MATCHERS_MAX)(named_matcher)


def _within(matcher: Matcher, value: Any, depth: int) -> Iterator[Any]:
    """The commands within a value that has no name of a command itself."""
    if type(value) is dict:
        for name, inner in value.items():
            if matcher(name):
                yield from _commands(matcher, name, inner, value, depth)
            elif type(inner) is not str or not _WRITTEN(name):
                yield from _within(matcher, inner, depth)
    elif type(value) is list:
        for inner in value:
            yield from _within(matcher, inner, depth)
    elif (opened := _opened(value, depth)) is not None:
        yield from _within(matcher, opened, depth + 1)


def _commands(
    matcher: Matcher, name: str, value: Any, beside: Mapping[str, Any], depth: int
) -> Iterator[Any]:
    """The commands of an argument whose name says that it contains some."""
    if value is None or type(value) is bool:
        return
    if type(value) is str and (opened := _opened(value, depth)) is not None:
        yield from _commands(matcher, name, opened, beside, depth + 1)
    elif type(value) is str:
        yield _placed(_with_words(value, beside), beside)
    elif type(value) is list and _is_several(name, value):
        for element in value:
            yield from _commands(matcher, "", element, beside, depth)
    elif type(value) is list:
        yield _placed([word for word in value if word is not None], beside)
    else:
        inner = list(_within(matcher, value, depth))
        yield from inner or [value]


def _is_several(name: str, value: list[Any]) -> bool:
    return name.lower() in _SEVERAL or any(type(element) in (dict, list) for element in value)


def _with_words(command: str, beside: Mapping[str, Any]) -> Any:
    """A program with its words, if they are an argument of their own."""
    for name, words in beside.items():
        if not _WORDS(name):
            continue
        if type(words) is str and words:
            return f"{command} {words}"
        if type(words) is list and words and all(type(word) is str for word in words):
            return [command, *words]
    return command


def _placed(command: Any, beside: Mapping[str, Any]) -> Any:
    """A command behind the change to the folder in which it starts, if an argument names that."""
    for name, folder in beside.items():
        if type(folder) is str and _IS_FOLDER.match(folder) and _FOLDERS(name):
            if type(command) is list and not all(type(word) is str for word in command):
                return command
            written = shlex.join(command) if type(command) is list else command
            quoted = folder if _IS_PLAIN.match(folder) else shlex.quote(folder)
            return f"cd {quoted}\n{written}"
    return command


def _opened(value: Any, depth: int) -> Any:
    """The map or list of a text that is JSON; None of any other value."""
    if type(value) is not str or depth >= _JSON_DEPTH_MAX or not _IS_JSON.match(value):
        return None
    if len(value) > STRING_BYTES_MAX:
        raise Failure(f"`command_lines` of a text of more than {STRING_BYTES_MAX} characters")
    try:
        opened = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return opened if type(opened) in (dict, list) else None
