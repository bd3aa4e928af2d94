"""`shell_commands` within an event: a text is parsed, and charged, once, whoever asks about it.

A failure is remembered as well as commands are: nine predicates of `pack:default` ask.
"""

from __future__ import annotations

from typing import Any, cast

from ...event import EventView
from ..values import Failure
from .started import Command, shell_commands


def commands_of(line: Any, view: EventView) -> list[Command]:
    """What `shell_commands` gives of `line`, for all predicates that ask: not to be changed."""
    if type(line) is str:
        key: tuple[Any, ...] = ("shell", line)
    elif type(line) is list and all(type(word) is str for word in line):
        key = ("shell words", *line)
    else:
        return shell_commands(line)
    if view.derived is None:
        view.derived = {}
    known = view.derived.get(key)
    if known is None:
        try:
            known = shell_commands(line, view.charge)
        except Failure as failure:
            known = failure.reason
        view.derived[key] = known
    if type(known) is str:
        raise Failure(known)
    return cast(list[Command], known)
