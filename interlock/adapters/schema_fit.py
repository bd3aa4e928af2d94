"""Arguments that are not of the types that a tool declares.

A framework may convert them behind the gate: `"yes"` was judged as a text, and runs as true. So a
call with such arguments is not made. Only types are compared, and only where the schema is plain:
a keyword that is not known here, or a reference to elsewhere, fits everything.

Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_DEPTH_MAX: Final = 64
"""Chosen: the nesting of an event; a schema that refers to itself ends there."""
_STEPS_MAX: Final = 100_000
"""Chosen: comparisons for one call. Branches that refer to each other have no end; then nothing
fits.
"""
_REFERENCE: Final = "#/"


def unfit(schema: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    """The path of the first value that has another type than the schema declares; `""` for none.

    Examples
    --------
    >>> declared = {"type": "object", "properties": {"force": {"type": "boolean"}}}
    >>> unfit(declared, {"force": "yes"}), unfit(declared, {"force": True})
    ('force', '')
    """
    return _Check(schema).path(schema, args, "", 0)


class _Check:
    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._steps_left = _STEPS_MAX

    def path(self, schema: Any, value: Any, at: str, depth: int) -> str:
        """Where the value does not fit, below `at`; `""` if it does."""
        if not isinstance(schema, dict) or depth > _DEPTH_MAX:
            return ""
        self._steps_left -= 1
        if self._steps_left < 0:
            return at or "arguments"
        if not _is_of_type(schema.get("type"), value):
            return at or "arguments"
        return (
            self.path(self._referred(schema.get("$ref")), value, at, depth + 1)
            or self._of_branches(schema, value, at, depth)
            or self._of_parts(schema, value, at, depth)
        )

    def _of_branches(self, schema: dict[str, Any], value: Any, at: str, depth: int) -> str:
        for key in ("anyOf", "oneOf"):
            branches = schema.get(key)
            if isinstance(branches, list) and branches:
                found = [self.path(one, value, at, depth + 1) for one in branches]
                if all(found):
                    return found[0]
        every = schema.get("allOf")
        paths = (self.path(one, value, at, depth + 1) for one in every or ())
        return next(filter(None, paths), "") if isinstance(every, list) else ""

    def _of_parts(self, schema: dict[str, Any], value: Any, at: str, depth: int) -> str:
        if isinstance(value, dict):
            declared = schema.get("properties")
            properties = declared if isinstance(declared, dict) else {}
            others = schema.get("additionalProperties")
            for name, part in value.items():
                found = self.path(properties.get(name, others), part, _below(at, name), depth + 1)
                if found:
                    return found
        if isinstance(value, list):
            for number, part in enumerate(value):
                found = self.path(schema.get("items"), part, _below(at, str(number)), depth + 1)
                if found:
                    return found
        return ""

    def _referred(self, reference: Any) -> Any:
        """The part of the schema that a reference within it names."""
        if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
            return None
        part: Any = self._whole
        for step in reference.removeprefix(_REFERENCE).split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            part = part.get(name) if isinstance(part, dict) else None
        return part


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _is_of_type(declared: Any, value: Any) -> bool:
    names = declared if isinstance(declared, list) else [declared]
    known = [name for name in names if isinstance(name, str) and name in _TYPES]
    return not known or len(known) < len(names) or any(_TYPES[one](value) for one in known)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    # 7.0 is a whole number in JSON, and equal to 7 for every reader.
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
}
