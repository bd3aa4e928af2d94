"""`shell_commands` within an event: a text is parsed, and charged, once, however often it is used.

Failures are cached as well as commands: nine predicates of `pack:default` use them. The parser is
imported when an expression first uses it: it is a tenth of all imports of a first verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from ..taint.event_view import EventView
from ..values.value import Failure

if TYPE_CHECKING:
    from .heads import Command


def commands_of(line: Any, view: EventView) -> list[Command]:
    """The result of `shell_commands` for `line`, shared by all predicates: must not be changed."""
    from .commands import shell_commands

    return _known("shell", line, view, lambda: shell_commands(line, view.charge))


def usual_commands_of(line: Any, view: EventView) -> list[Command]:
    """The same of `usual_commands`."""
    from .heads import usual

    return _known("usual", line, view, lambda: usual(commands_of(line, view)))


def commands_alone(line: Any) -> list[Command]:
    """`shell_commands` apart from an event, without a charge."""
    from .commands import shell_commands

    return shell_commands(line)


def usual_commands_alone(line: Any) -> list[Command]:
    """The same of `usual_commands`."""
    from .commands import usual_commands

    return usual_commands(line)


Read = Callable[[Any, EventView], "list[Command]"]

READERS_OF_SHELL: Final[dict[str, Read]] = {
    "shell_commands": commands_of,
    "usual_commands": usual_commands_of,
}


def _known(
    what: str, line: Any, view: EventView, read: Callable[[], list[Command]]
) -> list[Command]:
    if type(line) is str:
        key: tuple[Any, ...] = (what, line)
    elif type(line) is list and all(type(word) is str for word in line):
        key = (what, "words", *line)
    else:
        return commands_alone(line)
    if view.derived is None:
        view.derived = {}
    known = view.derived.get(key)
    if known is None:
        try:
            known = read()
        except Failure as failure:
            known = failure.reason
        view.derived[key] = known
    if type(known) is str:
        raise Failure(known)
    return cast("list[Command]", known)
