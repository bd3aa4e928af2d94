"""A shell's state along a text: variables, functions, its directory.

Branches are not decided: a variable that is set in one keeps its other values as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..values.unknown_text import ANY, BELOW, NAME, READINGS_MAX, VARIABLE, Reading
from .paths import HERE
from .stream import Stream, Values

VALUES_CHARACTERS_MAX: Final = 4_096  # Chosen: of one variable; keeps doubling values bounded.

UNKNOWN_VALUES: Final[Values] = ((ANY,),)
_OF_ENVIRONMENT: Final[Values] = ((VARIABLE,),)
_A_NAME: Final[Values] = ((NAME,),)

_POSITIONS: Final = tuple(map(str, range(1, 10)))

# Variables whose value is known well enough unless the text sets them.
_USUAL: Final[Mapping[str, Values]] = {
    "HOME": (("~",),),
    "IFS": ((" \t\n",),),
    "BASH": (("bash",),),
    "SHELL": (("bash",),),
    "0": (("bash",),),
    "USER": _A_NAME,
    "LOGNAME": _A_NAME,
    "HOSTNAME": _A_NAME,
    "RANDOM": _A_NAME,
    "SECONDS": _A_NAME,
    "UID": _A_NAME,
    "EUID": _A_NAME,
    "PPID": _A_NAME,
    "LINENO": _A_NAME,
    "BASHPID": _A_NAME,
    "EPOCHSECONDS": _A_NAME,
    "?": _A_NAME,
    "$": _A_NAME,
    "#": _A_NAME,
    "TMPDIR": (("/tmp/", BELOW),),  # noqa: S108 - a text about it
}


@dataclass(slots=True)
class Scope:
    """Mutable: the walk changes it."""

    variables: dict[str, Values] = field(default_factory=dict)
    directory: Reading = HERE
    functions: dict[str, Any] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    arguments: tuple[Any, ...] | None = None
    """The terms of `"$@"`, if they are known."""
    is_path_set: bool = False
    """True if the text has changed the search path of programs."""
    files: dict[str, Stream] = field(default_factory=dict)
    """Files that the text has written, by path, with their content as a stream."""

    def value(self, name: str) -> Values:
        """Every value that a variable may have."""
        if name in self.variables:
            return self.variables[name]
        if name == "PWD":
            return (self.directory or (".",),)
        return _USUAL.get(name, _OF_ENVIRONMENT)

    def set(self, name: str, values: Values) -> None:
        """An assignment, surely run."""
        self.variables[name] = bounded(values)

    def positional(self) -> tuple[Any, ...]:
        """`$1` and so on, to be restored."""
        return self.arguments, {n: self.variables[n] for n in _POSITIONS if n in self.variables}

    def set_positional(self, arguments: Sequence[Any] | None) -> None:
        """`$@` and `$1` and so on become these terms; None if they are not known."""
        self.arguments = None if arguments is None else tuple(arguments)
        is_known = arguments is not None
        for index, name in enumerate(_POSITIONS):
            term = arguments[index] if arguments is not None and index < len(arguments) else None
            is_known = is_known and not (term is not None and term.is_many)
            if not is_known:
                self.variables[name] = UNKNOWN_VALUES
            else:
                self.variables[name] = ((),) if term is None else bounded(term.readings)

    def restore_positional(self, saved: tuple[Any, ...]) -> None:
        """Restore the state from `positional`."""
        self.arguments = saved[0]
        for name in _POSITIONS:
            self.variables.pop(name, None)
        self.variables.update(saved[1])

    def inner(self) -> Scope:
        """The scope of a subshell, or of a branch, whose changes may be lost."""
        return replace(
            self,
            variables=dict(self.variables),
            functions=dict(self.functions),
            aliases=dict(self.aliases),
            # Files belong to the machine: the writes of a subshell persist.
            files=self.files,
        )

    def joined(self, other: Scope) -> Scope:
        """The state if either may apply: after a branch that may not have been taken."""
        made = self.inner()
        for name, values in other.variables.items():
            own = self.value(name)
            if values is not own:
                made.set(name, tuple(dict.fromkeys((*own, *values))))
        made.functions.update(other.functions)
        made.aliases.update(other.aliases)
        if other.directory != self.directory:
            made.directory = (ANY,)
        return made


def bounded(values: Values) -> Values:
    """The values, or their common prefix if they are too many or too long."""
    size = sum(len(part) for value in values for part in value if isinstance(part, str))
    if len(values) <= READINGS_MAX and size <= VALUES_CHARACTERS_MAX:
        return values
    texts = [value[0] if len(value) == 1 else "" for value in values]
    if size <= VALUES_CHARACTERS_MAX and all(
        isinstance(text, str) and text and not text.startswith(("-", "~", "/", "."))
        for text in texts
    ):
        return ((BELOW,),) if any("/" in str(text) for text in texts) else ((NAME,),)
    return UNKNOWN_VALUES
