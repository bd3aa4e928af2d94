"""Values of the agent's own types -> plain JSON values, and a count of what could not be told.

Tool arguments and results are whatever the agent's code handles. Nothing of it may crash the
agent, be published as something that it is not, or make a record that the monitor would refuse
(repeated keys, lone surrogates, NaN). What JSON cannot say becomes a placeholder that names the
type and nothing else: a `repr` could show a secret, or never end.
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

DEPTH_MAX: Final = 100
"""Levels. Chosen: far below the interpreter's own limit, far above any tool's schema."""

VALUES_MAX: Final = 200_000
"""Values in one conversion. Chosen: JSON text with more of them hardly fits into an event."""

TEXT_MAX: Final = 2 * 1024 * 1024
"""Characters in one conversion: a list may name one long string a thousand times."""

INT_BITS_MAX: Final = 1024
"""Beyond it no two JSON readers agree, and turning it into text is quadratic."""


class PlainJson:
    """One conversion, within one budget.

    `lost_count` says how many values could not be told, `is_cut` that the budget ran out and the
    rest is missing. Cost: linear in the number of values, about 0.3 microseconds each.
    """

    def __init__(self) -> None:
        self.lost_count = 0
        self.is_cut = False
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
        if depth > DEPTH_MAX:
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
            # First, so that what is dropped costs nothing.
            self.is_cut = True
            text = text[: self._text_left]
        if not _is_utf8(text):
            return self._lost(text)
        self._text_left -= len(text)
        return text

    def _items(self, items: Iterable[object], depth: int) -> list[object]:
        plain: list[object] = []
        for item in items:
            if self._values_left <= 0:
                self.is_cut = True
                break
            plain.append(self._plain(item, depth + 1))
        return plain

    def _other(self, value: object, depth: int) -> object:
        """Types seen less often, each turned into what a reader would expect."""
        match value:
            case enum.Enum():
                return self._plain(value.value, depth + 1)
            case int():
                return int(value) if value.bit_length() <= INT_BITS_MAX else self._lost(value)
            case float():
                return float(value) if math.isfinite(value) else self._lost(value)
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
        plain: dict[str, object] = {}
        for key, item in mapping.items():
            if self._values_left <= 0:
                self.is_cut = True
                break
            name = _key(key)
            if name is None or name in plain:
                # Two keys with one text would be a repeated JSON key: no event at all.
                self.lost_count += 1
                continue
            self._text_left = max(0, self._text_left - len(name))
            plain[name] = self._plain(item, depth + 1)
        return plain

    def _bytes(self, value: bytes | bytearray | memoryview) -> object:
        """Text where the bytes are text, so that what a tool fetched can be recognised later."""
        view = memoryview(value)
        if view.c_contiguous:
            view = view.cast("B")[: self._text_left + 1]
        data = bytes(view)
        try:
            return self._text(data.decode("utf-8"))
        except UnicodeDecodeError:
            return {BYTES_KEY: self._text(base64.b64encode(data).decode("ascii"))}

    def _object(self, value: object, depth: int) -> object:
        """Records: dataclasses, and models that can tell their fields (`model_dump`)."""
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
        kind = type(value)
        return {PLACEHOLDER_KEY: f"{kind.__module__}.{kind.__qualname__}"[:200]}


def readable(text: str) -> str:
    """`text` with what UTF-8 cannot say replaced by `?`."""
    return text if _is_utf8(text) else text.encode("utf-8", "replace").decode("utf-8")


def _key(key: object) -> str | None:
    """The text of a mapping's key, as JSON writers have it; None where there is none."""
    match key:
        case str():
            text = str.__str__(key)
            return text if _is_utf8(text) else None
        case bool():
            return "true" if key else "false"
        case int():
            return str(int(key)) if key.bit_length() <= INT_BITS_MAX else None
    return None


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
