"""Converts values of the agent's own types to plain JSON values, and counts the lost ones.

Tool arguments and results can be any values of the agent's code. They must not crash the agent, be
published as a different value, or make a record that the monitor would refuse (repeated keys, lone
surrogates, NaN). A value that JSON cannot represent becomes a placeholder that contains only its
type: a `repr` could show a secret, or never end. The monitor treats an object with the
placeholder's key as a missing value, whatever else it contains.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import math
import os
import uuid
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

PLACEHOLDER_KEY: Final = "$interlock_unserialisable"
BYTES_KEY: Final = "$base64"

VALUES_MAX: Final = 200_000
"""Values in one conversion. Chosen: JSON text with more of them hardly fits into an event."""

TEXT_MAX: Final = 2 * 1024 * 1024
"""Characters in one conversion: a list may name one long string a thousand times."""

INT_BITS_MAX: Final = 1024
"""Beyond it no two JSON readers agree, and turning it into text is quadratic."""


class PlainJson:
    """One conversion, within one budget.

    `levels_max` is the maximum nesting of objects and lists in the result, placeholders included.
    `lost_count` counts the values that could not be converted. `is_cut` means that the budget was
    exhausted and the rest is missing. Cost: linear in the number of values, about 0.3 microseconds
    each.
    """

    def __init__(self, levels_max: int) -> None:
        self.lost_count = 0
        self.is_cut = False
        self._levels_max = levels_max
        self._values_left = VALUES_MAX
        self._text_left = TEXT_MAX

    def __call__(self, value: object) -> object:
        """`value` as None, bool, int, float, str, list or dict with text keys. Never raises."""
        try:
            return self._plain(value, 0)
        except Exception:  # noqa: BLE001 - reading somebody's own type runs their code, which may
            # raise any error of theirs. One that passed here would cost the agent its result
            # after the tool ran, and the monitor the outcome.
            return self._lost(value)

    def _plain(self, value: object, depth: int) -> object:
        self._values_left -= 1
        if self._values_left < 0:
            self.is_cut = True
            return None
        if value is None or value is True or value is False:
            return value
        if depth >= self._levels_max:
            return self._lost(value)
        kind = type(value)
        if kind is str:
            return self._text(value)  # type: ignore[arg-type]
        if kind is dict:
            return self._mapping(value, depth)  # type: ignore[arg-type]
        if kind is list or kind is tuple:
            return self._items(value, depth)  # type: ignore[arg-type]
        return self._other(value, depth)

    def _text(self, text: str) -> object:
        if len(text) > self._text_left:
            # First, so that dropped values cost nothing.
            self.is_cut = True
            text = text[: self._text_left]
        if not _is_utf8(text):
            return self._lost(text)
        self._text_left -= len(text)
        return text

    def _items(self, items: Iterable[object], depth: int) -> object:
        if depth + 1 >= self._levels_max:
            # A placeholder of an item would need one more level.
            return self._lost(items)
        plain: list[object] = []
        for item in items:
            if self._values_left <= 0:
                self.is_cut = True
                break
            plain.append(self._plain(item, depth + 1))
        return plain

    def _other(self, value: object, depth: int) -> object:
        """Rarer types, each converted to the representation that a reader expects."""
        match value:
            case enum.Enum():
                return self._plain(value.value, depth + 1)
            case int():
                # The type's own methods: a subclass may have replaced them by anything.
                is_told = int.bit_length(value) <= INT_BITS_MAX
                return int.__add__(value, 0) if is_told else self._lost(value)
            case float():
                number = float.__add__(value, 0.0)
                return number if math.isfinite(number) else self._lost(value)
            case str():
                return self._text(str.__str__(value))
            case Mapping():
                return self._mapping(value, depth)
            case list() | tuple() | AbstractSet():
                return self._items(value, depth)
            case bytes() | bytearray() | memoryview():
                return self._bytes(value)
            case decimal.Decimal() | uuid.UUID():
                return self._text(str(value))
            case datetime.date() | datetime.time():
                return self._text(value.isoformat())
            case os.PathLike():
                return self._plain(os.fspath(value), depth + 1)
        return self._object(value, depth)

    def _mapping(self, mapping: Mapping[Any, object], depth: int) -> object:
        if depth + 1 >= self._levels_max:
            return self._lost(mapping)
        plain: dict[str, object] = {}
        for key, item in mapping.items():
            if self._values_left <= 0:
                self.is_cut = True
                break
            name = _key_text(key)
            if name is None or name in plain:
                # Two keys with one text would be a repeated JSON key: no event at all.
                plain |= self._lost(key)
                continue
            self._text_left = max(0, self._text_left - len(name))
            plain[name] = self._plain(item, depth + 1)
        return plain

    def _bytes(self, value: bytes | bytearray | memoryview) -> object:
        """Text if the bytes are text, so that fetched content can be recognised later."""
        view = memoryview(value)
        if view.c_contiguous:
            view = view.cast("B")[: self._text_left + 1]
        data = bytes(view)
        try:
            return self._text(data.decode("utf-8"))
        except UnicodeDecodeError:
            return {BYTES_KEY: self._text(base64.b64encode(data).decode("ascii"))}

    def _object(self, value: object, depth: int) -> object:
        """Records: dataclasses, and models with `model_dump`."""
        if isinstance(value, type):
            return self._lost(value)
        if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            return self._mapping({name: getattr(value, name, None) for name in names}, depth)
        # Of the type, not of the value: a proxy answers to every name, perhaps over the network.
        dump = getattr(type(value), "model_dump", None)
        return self._plain(dump(value), depth + 1) if callable(dump) else self._lost(value)

    def _lost(self, value: object) -> dict[str, str]:
        self.lost_count += 1
        return {PLACEHOLDER_KEY: _type_name(type(value))}


def told_by_name(
    convert: PlainJson, values: Mapping[str, object]
) -> tuple[dict[str, object] | None, list[str]]:
    """Values as plain JSON, and the names of those that are incomplete.

    None instead of the values if one has no name, the mapping cannot be read, or there are too
    many. If two values have one name, both are omitted.
    """
    plain: dict[str, object] = {}
    lost: dict[str, None] = {}
    try:
        for key, value in values.items():
            name = _key_text(key)
            if name is None or convert.is_cut:
                return None, []
            lost_before = convert.lost_count
            told = convert(value)
            if convert.lost_count == lost_before and name not in plain and name not in lost:
                plain[name] = told
            else:
                plain.pop(name, None)
                lost[name] = None
    except Exception:  # noqa: BLE001 - as above: the mapping is somebody's own type
        return None, []
    return plain, list(lost)


def readable(text: str) -> str:
    """`text` as plain text, with characters that UTF-8 cannot encode replaced by `?`."""
    text = str.__str__(text)
    return text if _is_utf8(text) else text.encode("utf-8", "replace").decode("utf-8")


def _key_text(key: object) -> str | None:
    """The text of a mapping's key, as JSON encoders write it; None if there is none."""
    match key:
        case str():
            text = str.__str__(key)
            return text if _is_utf8(text) else None
        case bool():
            return "true" if key else "false"
        case int():
            return str(int.__add__(key, 0)) if int.bit_length(key) <= INT_BITS_MAX else None
    return None


def _type_name(kind: type) -> str:
    """`module.Name` from the class statement; later replacements are ignored."""
    try:
        name = type.__getattribute__(kind, "__qualname__")
        module = type.__getattribute__(kind, "__module__")
    except Exception:  # noqa: BLE001 - a metaclass may answer with any error of its own
        return "unknown"
    known = [str.__str__(part) for part in (module, name) if isinstance(part, str)]
    return readable(".".join(known)[:200])


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
