"""One setting: its name, type, default and meaning, and the reading of its value.

Input: a value from YAML, an environment variable or a flag. Output: a value of the setting's type,
or a sentence with the expected value. The table of all settings is `table.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

ValueType = Literal[
    "text", "path", "integer", "duration", "boolean", "choice", "paths", "integers", "name lists"
]

UNITS_NS: Final[Mapping[str, int]] = {
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
SHOWN_CHARACTERS_MAX: Final = 80


class Setting(msgspec.Struct, frozen=True):
    """A row of the table. `minimum` and `maximum` are in the value's own unit, ns for durations.

    A default of None means: not set; `unset_means` describes the effect.
    """

    name: str
    type: ValueType
    default: Any
    meaning: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    unset_means: str = ""

    @property
    def env(self) -> str:
        """`http.port` -> `INTERLOCK_HTTP_PORT`."""
        return "INTERLOCK_" + self.name.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """`http.port` -> `--http-port`."""
        return "--" + self.name.replace(".", "-").replace("_", "-")

    @property
    def destination(self) -> str:
        """The name under which argparse hands the flag's value over."""
        return "setting_" + self.name.replace(".", "_")


def row(name: str, type_: ValueType, default: Any, meaning: str, **more: Any) -> Any:
    """A dataclass field that carries its row: one place for both."""
    setting = Setting(name, type_, default, meaning, **more)
    return field(default_factory=lambda: default, metadata={"setting": setting})


class Given(msgspec.Struct, frozen=True):
    """A value as given. `base` is the directory for relative paths; `is_text` means that it came
    from the environment or a flag, where everything is text.
    """

    value: object
    is_text: bool
    base: Path = msgspec.field(default_factory=Path)


class ValueRefusedError(ValueError):
    """A value that cannot be used; the message contains the expected one."""


def read_value(setting: Setting, given: Given) -> Any:
    """The value in the type of its setting.

    Raises
    ------
    ValueRefusedError
        The value cannot be used.

    Examples
    --------
    >>> read_value(Setting("skew", "duration", 0, ""), Given("5s", is_text=True))
    5000000000
    """
    if given.value is None or given.value == "":
        raise ValueRefusedError("is empty; give a value or omit the setting")
    return _READERS[setting.type](setting, given)


def shown(value: object) -> str:
    """A given value for a message: printable, one line, not too long."""
    text = str(value).encode("unicode_escape", "backslashreplace").decode("ascii")
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "..."


def format_duration(value_ns: int) -> str:
    """The shortest way to write it: `24h`, not `86400s`."""
    for unit, unit_ns in reversed(list(UNITS_NS.items())):
        if value_ns and value_ns % unit_ns == 0 and (unit != "d" or value_ns > 3 * unit_ns):
            return f"{value_ns // unit_ns}{unit}"
    assert value_ns == 0
    return "0"


def _read_text(setting: Setting, given: Given) -> str:
    if not isinstance(given.value, str):
        raise ValueRefusedError(f"is `{shown(given.value)}`; expected text")
    if not given.value.isprintable():
        raise ValueRefusedError(
            f"is `{shown(given.value)}`; expected text without control characters"
        )
    return given.value


def _read_path(setting: Setting, given: Given) -> str:
    return str(given.base / _read_text(setting, given))


def _read_integer(setting: Setting, given: Given) -> int:
    value = given.value
    if given.is_text and isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueRefusedError(f"is `{shown(given.value)}`; expected a whole number")
    return _within(setting, value, str)


def _read_duration(setting: Setting, given: Given) -> int:
    if given.value in (0, "0") and not isinstance(given.value, bool):
        return _within(setting, 0, format_duration)
    match = _DURATION.fullmatch(given.value) if isinstance(given.value, str) else None
    if match is None:
        raise ValueRefusedError(
            f"is `{shown(given.value)}`; expected a whole number with a unit "
            "(`ms`, `s`, `m`, `h`, `d`), as in `30s`"
        )
    return _within(setting, int(match[1]) * UNITS_NS[match[2]], format_duration)


def _within(setting: Setting, value: int, show: Callable[[int], str]) -> int:
    if setting.minimum is not None and value < setting.minimum:
        raise ValueRefusedError(f"is {show(value)}; the minimum is {show(setting.minimum)}")
    if setting.maximum is not None and value > setting.maximum:
        raise ValueRefusedError(f"is {show(value)}; the maximum is {show(setting.maximum)}")
    return value


def _read_boolean(setting: Setting, given: Given) -> bool:
    if isinstance(given.value, bool):
        return given.value
    if given.is_text and given.value in ("true", "false"):
        return given.value == "true"
    raise ValueRefusedError(f"is `{shown(given.value)}`; expected `true` or `false`")


def _read_choice(setting: Setting, given: Given) -> str:
    if given.value not in setting.choices:
        known = ", ".join(f"`{choice}`" for choice in setting.choices)
        raise ValueRefusedError(f"is `{shown(given.value)}`; expected one of {known}")
    return str(given.value)


def _read_paths(setting: Setting, given: Given) -> tuple[str, ...]:
    items = given.value
    if isinstance(items, str):
        items = items.split(",") if given.is_text else [items]
    if not isinstance(items, list):
        raise ValueRefusedError(f"is `{shown(items)}`; expected a path or a list of paths")
    for item in items:
        if item in (None, ""):
            raise ValueRefusedError("contains an empty path")
    return tuple(_read_path(setting, Given(item, given.is_text, given.base)) for item in items)


def _read_integers(setting: Setting, given: Given) -> tuple[int, ...]:
    items = given.value
    if isinstance(items, str) and given.is_text:
        items = items.split(",")
    if not isinstance(items, list):
        raise ValueRefusedError(f"is `{shown(items)}`; expected a list of whole numbers")
    return tuple(_read_integer(setting, Given(item, given.is_text)) for item in items)


def _read_name_lists(setting: Setting, given: Given) -> Mapping[str, frozenset[str]]:
    value = given.value
    if given.is_text and isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueRefusedError(
                "is not valid JSON; expected a map of names to lists of names"
            ) from None
    if not isinstance(value, dict):
        raise ValueRefusedError("is not a map; expected a map of names to lists of names")
    for name, items in value.items():
        is_list = isinstance(items, list) and all(isinstance(i, str) and i for i in items)
        if not is_list:
            raise ValueRefusedError(f"contains no list of names under `{shown(name)}`")
    return MappingProxyType({name: frozenset(items) for name, items in value.items()})


_READERS: Final[Mapping[ValueType, Callable[[Setting, Given], Any]]] = {
    "text": _read_text,
    "path": _read_path,
    "integer": _read_integer,
    "duration": _read_duration,
    "boolean": _read_boolean,
    "choice": _read_choice,
    "paths": _read_paths,
    "integers": _read_integers,
    "name lists": _read_name_lists,
}
