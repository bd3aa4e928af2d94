"""Reads the exceptions that a gate's record states, within the bounds of a gate."""

from __future__ import annotations

from typing import Final

import msgspec

from invariants.model.excepted import Excepted

EXCEPTED_MAX: Final = 64
"""Chosen: exceptions in force at one gate. Each is in every record that it concerns."""
_decoder: Final = msgspec.json.Decoder(tuple[Excepted, ...])


class ExceptedError(ValueError):
    """They are not exceptions; the message says what was expected, and shows no value."""


def read_excepted(raw: msgspec.Raw) -> tuple[Excepted, ...]:
    """The exceptions in a record.

    Raises
    ------
    ExceptedError
        They have another form, or there are too many.
    """
    try:
        excepted = _decoder.decode(raw)
    except msgspec.ValidationError:
        text = "of another form, expected [[id, invariant, end in ns], ...]"
        raise ExceptedError(text) from None
    if len(excepted) > EXCEPTED_MAX:
        raise ExceptedError(f"{len(excepted)} entries, expected at most {EXCEPTED_MAX}")
    return excepted
