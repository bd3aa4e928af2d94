"""Reads the standing that a gate's record states, within the bounds of a file of principals."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from invariants.model.fact import ELEMENTS_MAX
from invariants.model.missing import read_json
from invariants.model.standing import Standing

EXPECTED: Final = "expected {version: a whole number, roles: texts, attributes: an object}"


class StandingError(ValueError):
    """It is not one; the message says what was expected, and shows no value."""


class _Stated(msgspec.Struct, frozen=True):
    version: int
    roles: tuple[str, ...] = ()
    attributes: msgspec.Raw = msgspec.Raw(b"{}")


_decoder: Final = msgspec.json.Decoder(_Stated)


def read_standing(raw: msgspec.Raw) -> Standing:
    """The standing in a record.

    Raises
    ------
    StandingError
        A part is missing, of another type, or out of bounds.
    """
    try:
        stated = _decoder.decode(raw)
    except msgspec.ValidationError:
        raise StandingError(f"of another form, {EXPECTED}") from None
    if len(stated.roles) > ELEMENTS_MAX:
        raise StandingError(f"{len(stated.roles)} roles, expected at most {ELEMENTS_MAX}")
    # Numbers out of range are missing values, as in the event itself.
    attributes: Any = read_json(stated.attributes)
    if type(attributes) is not dict:
        raise StandingError(f"its attributes are not an object, {EXPECTED}")
    return Standing(stated.version, stated.roles, attributes)
