"""Trees of frozen nodes as a flat table, and back.

A *part* is a node with a number: `[kind, field, field, ...]`, where `["#", 3]` refers to part 3. A
part refers only to parts before it, and equal parts have one number. Fields are plain values; a
tuple is `["()", ...]`, a mapping `["{}", key, value, ...]`, a small record `[kind, field, ...]`,
and a whole number beyond int64 `["int", "0x..."]`.

Fields are written in the order of their class. Places in a file are left out: no verdict depends on
them. Cost: linear in the number of nodes; the depth of recursion is that of a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from ..model.errors import Place

NUMBER: Final = "#"
TUPLE: Final = "()"
MAPPING: Final = "{}"
BIG: Final = "int"
_INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True)
class Alphabet:
    """The kinds of parts by their names, those of records within parts, and values that every part
    shares: they are written as their kind alone, and given again when the table is read.
    """

    parts: Mapping[str, type]
    records: Mapping[str, type]
    shared: Mapping[str, type]

    @cached_property
    def kinds(self) -> dict[type, str]:
        """The name of each class."""
        named = {**self.parts, **self.records, **self.shared}
        return {class_: name for name, class_ in named.items()}

    @cached_property
    def field_names(self) -> dict[str, tuple[str, ...]]:
        """The fields of each kind that are written, in their order."""
        return {
            name: _field_names(class_) for name, class_ in {**self.parts, **self.records}.items()
        }


def _field_names(class_: type) -> tuple[str, ...]:
    if issubclass(class_, tuple):
        return tuple(class_._fields)  # type: ignore[attr-defined]
    assert is_dataclass(class_), class_
    return tuple(one.name for one in fields(class_) if one.init and one.name != "place")


class Writer:
    """Collects the parts of some trees."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet
        self._numbers: dict[bytes, int] = {}
        self.parts: list[list[Any]] = []

    def number(self, part: object) -> int:
        """The number of a part; it and those below it are added if they are new."""
        content = self._fields(part)
        # Bytes tell 1, 1.0 and true apart, which are equal in Python.
        key = msgspec.msgpack.encode(content)
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = len(self.parts)
            self.parts.append(content)
        return known

    def _fields(self, part: object) -> list[Any]:
        kind = self._alphabet.kinds[type(part)]
        names = self._alphabet.field_names[kind]
        return [kind, *(self.content(getattr(part, name)) for name in names)]

    def content(self, value: Any) -> Any:
        """A field's value, or any other value that refers to parts."""
        kind = self._alphabet.kinds.get(type(value))
        if kind is None:
            return self._plain(value)
        if kind in self._alphabet.parts:
            return [NUMBER, self.number(value)]
        return [kind] if kind in self._alphabet.shared else self._fields(value)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return [TUPLE, *map(self.content, value)]
        if isinstance(value, Mapping):
            pairs = ((self.content(key), self.content(of)) for key, of in value.items())
            return [MAPPING, *(item for pair in pairs for item in pair)]
        if type(value) is int and not -_INT64_MAX <= value <= _INT64_MAX:
            return [BIG, hex(value)]
        assert value is None or isinstance(value, bool | int | float | str), type(value)
        return value


class Reader:
    """The trees of a table. Raises ValueError, KeyError, IndexError or TypeError for others."""

    def __init__(
        self, alphabet: Alphabet, parts: list[list[Any]], shared: Mapping[str, Any]
    ) -> None:
        self._alphabet, self._shared = alphabet, shared
        self._made: list[Any] = []
        for part in parts:
            self._made.append(self._part(alphabet.parts[part[0]], part))

    def part(self, number: int) -> Any:
        """The part with that number."""
        if not 0 <= number < len(self._made):
            raise ValueError(f"there is no part {number} yet")
        return self._made[number]

    def value(self, content: Any) -> Any:
        """The value that `Writer.content` wrote."""
        if not isinstance(content, list):
            return content
        kind, *rest = content
        read = _READERS.get(kind)
        if read is not None:
            return read(self, rest)
        if kind in self._shared:
            return self._shared[kind]
        return self._part(self._alphabet.records[kind], content)

    def _part(self, class_: type, content: list[Any]) -> Any:
        names = self._alphabet.field_names[content[0]]
        given = dict(zip(names, map(self.value, content[1:]), strict=True))
        if "place" in getattr(class_, "__dataclass_fields__", {}):
            given["place"] = Place()
        return class_(**given)

    def _mapping(self, items: list[Any]) -> dict[Any, Any]:
        values = [self.value(item) for item in items]
        return dict(zip(values[::2], values[1::2], strict=True))


_READERS: Final[dict[str, Callable[[Reader, list[Any]], Any]]] = {
    NUMBER: lambda reader, rest: reader.part(rest[0]),
    TUPLE: lambda reader, rest: tuple(map(reader.value, rest)),
    MAPPING: Reader._mapping,
    BIG: lambda reader, rest: int(rest[0], 16),
}
