"""The result of one predicate for one event, in Kleene's three values.

Formulas see an event only through `Fact`s. The values in it are *canonical*: two of them are equal
exactly when the language defines them as equal (1 is 1.0; true is not 1; "1" is not 1).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

import msgspec


class Truth(IntEnum):
    """Kleene's values in their order: `and` is the least, `or` the greatest, `not x` is 2 - x."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2


Value = str | int | float | tuple[str, ...]
"""A canonical value: text, number, or a tagged tuple such as `("bool", "true")`."""

TEXT_CHARACTERS_MAX: Final = 10_000
"""Chosen: as many as a formula may have, so that no literal is longer."""
_BEGIN_CHARACTERS: Final = 100

ELEMENTS_MAX: Final = 64  # Chosen: docs/language.md, a list stands for at most 64 elements.


class Fact(msgspec.Struct, frozen=True):
    """Truth of `when`, and per name of `with` its distinct values (none, one, or a list's).

    `missing` contains the names of `with` that had no usable value, or whose list had an element
    without one: there the event itself is inconclusive for an invariant that uses the value.
    `overflowing` contains those whose list had more than `ELEMENTS_MAX` distinct values. `repeated`
    contains, for each list with a repeated value, all its values; None if these are more than
    `ELEMENTS_MAX`. If `when` is false, `values`, `missing` and `repeated` are empty.

    A struct, which is made in a tenth of the time of a dataclass: an event makes several.
    """

    truth: Truth
    values: Mapping[str, tuple[Value, ...]]
    missing: frozenset[str] = frozenset()
    overflowing: frozenset[str] = frozenset()
    repeated: tuple[tuple[str, tuple[Value, ...] | None], ...] = ()

    def elements(self, name: str) -> tuple[Value, ...] | None:
        """The usable values of `name`, with repeats; None: too many to be kept."""
        if name in self.overflowing:
            return None
        for repeated, elements in self.repeated:
            if repeated == name:
                return elements
        return self.values.get(name, ())


NO_FACT: Final = Fact(Truth.FALSE, {})


def canonical(value: Any) -> Value | None:
    """The canonical form of a scalar, or None if it is not a usable value (docs: missing)."""
    if isinstance(value, str):
        return canonical_text(value)
    if isinstance(value, bool):
        return ("bool", "true" if value else "false")
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    return None


def canonical_text(text: str) -> Value | None:
    """A text; one that is too long to be stored thousands of times is represented by its digest.

    Equality stays exact. Such a value has no order, like every tagged one.
    """
    if len(text) <= TEXT_CHARACTERS_MAX:
        return text or None
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
    return ("text", f"{text[:_BEGIN_CHARACTERS]}... ({len(text)} characters, BLAKE2b {digest})")


def show(value: Value) -> str:
    """A canonical value as a person writes it in a formula."""
    if isinstance(value, tuple):
        return value[1]
    return f'"{value}"' if isinstance(value, str) else repr(value)
