"""Arguments of a tool: from its JSON Schema, or from the arguments of a call.

Values of calls are looked at and dropped: an argument keeps only that it held an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from interlock.limits import NAME_CHARACTERS_MAX

ARGUMENTS_MAX: Final = 200
"""Chosen: of one tool, those within others included."""
_DEPTH_MAX: Final = 6  # Chosen: objects within objects.
_CHOICES_MAX: Final = 50  # Chosen: values of an `enum` that are looked at.
_BRANCHES_MAX: Final = 1_000  # Chosen: parts of one schema; `anyOf` may repeat them.
_WITHIN: Final = ("items", "additionalProperties")
_EITHER: Final = ("anyOf", "oneOf", "allOf")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]{1,64}(\.[^@\s.]{1,64}){1,8}")
_URL: Final = re.compile(r"[a-z][a-z+]{1,10}://\S+", re.IGNORECASE)
_FORMATS: Final[Mapping[str, Holds]] = {
    "email": "an e-mail address",
    "idn-email": "an e-mail address",
    "uri": "a URL",
    "url": "a URL",
}

Holds = Literal["", "an e-mail address", "a URL"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, also within another. `choices`: the texts of its `enum` and its default.

    `holds`: the sort of address that its schema or a call shows, `""` if none.
    """

    name: str
    holds: Holds = ""
    choices: tuple[str, ...] = ()


def declared_arguments(schema: Any) -> tuple[tuple[Argument, ...], bool]:
    """The arguments of a schema; False if the bounds left a part of it out."""
    if isinstance(schema, list):  # Names alone, or parameters that have a name each.
        schema = {"properties": dict(filter(None, map(_named, schema)))}
    elif isinstance(schema, dict) and not {"properties", "type", "$ref"} & schema.keys():
        schema = {"properties": schema}
    found: dict[Argument, None] = {}
    walk = _Walk(schema)
    for argument in walk.arguments(schema, 0):
        found[argument] = None
        if len(found) == ARGUMENTS_MAX:
            return tuple(found), False
    return tuple(found), walk.is_whole


def _named(element: Any) -> tuple[str, Any] | None:
    if isinstance(element, str):
        return element, {}
    is_parameter = isinstance(element, dict) and isinstance(element.get("name"), str)
    return (element["name"], element) if is_parameter else None


class _Walk:
    """Counts the parts that were seen; `is_whole` turns false at a bound, and at a reference to
    another document.
    """

    def __init__(self, whole: Any) -> None:
        self._whole = whole
        self.is_whole = True
        self._branches_count = 0

    def arguments(self, schema: Any, depth: int) -> Iterator[Argument]:
        self._branches_count += 1
        if depth > _DEPTH_MAX or self._branches_count > _BRANCHES_MAX:
            self.is_whole = False
            return
        if not isinstance(schema, dict):
            return
        if "$ref" in schema:
            yield from self.arguments(self._referred(schema["$ref"]), depth + 1)
        properties = schema.get("properties")
        for name, inner in properties.items() if isinstance(properties, dict) else ():
            if len(name) > NAME_CHARACTERS_MAX:
                self.is_whole = False
                continue
            shown = self._shown(inner)
            yield Argument(name, _format(shown), _choices(shown))
            yield from self.arguments(inner, depth + 1)
        for key in _WITHIN:
            yield from self.arguments(schema.get(key), depth + 1)
        for key in _EITHER:
            either = schema.get(key)
            for inner in either if isinstance(either, list) else ():
                yield from self.arguments(inner, depth + 1)

    def _shown(self, schema: Any) -> Any:
        """The schema itself, or that which it refers to."""
        is_reference = isinstance(schema, dict) and "$ref" in schema
        return self._referred(schema["$ref"]) if is_reference else schema

    def _referred(self, reference: Any) -> Any:
        """The part of this schema that `#/$defs/NAME` or the like points to."""
        part = self._whole
        steps = reference.split("/") if isinstance(reference, str) else [""]
        for step in steps[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            part = part.get(name) if isinstance(part, dict) else None
        if steps[0] != "#" or not isinstance(part, dict):
            self.is_whole = False
            return None
        return part


def _format(schema: Any, depth: int = 0) -> Holds:
    """The address of a text, or of each item of a list."""
    if not isinstance(schema, dict) or depth == 2:
        return ""
    named = schema.get("format")
    if isinstance(named, str) and named in _FORMATS:
        return _FORMATS[named]
    return _format(schema.get("items"), depth + 1)


def _choices(schema: Any) -> tuple[str, ...]:
    if not isinstance(schema, dict):
        return ()
    listed = schema.get("enum")
    values = [*(listed if isinstance(listed, list) else ())][:_CHOICES_MAX]
    values += [schema.get("default"), schema.get("const")]
    return tuple(value for value in values if isinstance(value, str))


def used_arguments(args: Mapping[str, Any]) -> tuple[tuple[Argument, ...], bool]:
    """The arguments of one call; False if the bounds left a part out."""
    named = {name: value for name, value in args.items() if len(name) <= NAME_CHARACTERS_MAX}
    found = tuple(Argument(name, _held(value)) for name, value in named.items())
    return found[:ARGUMENTS_MAX], len(args) == len(found) <= ARGUMENTS_MAX


def _held(value: Any) -> Holds:
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, str):
        return ""
    if _EMAIL.fullmatch(first):
        return "an e-mail address"
    return "a URL" if _URL.fullmatch(first) else ""
