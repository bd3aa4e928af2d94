"""The body of a request -> a value of its type, or a refusal that says where and why.

As strict as the reading of events (`monitor/ingest/decode.py`): UTF-8, no key twice in any object,
at most 64 levels, numbers within their budget, and no field that is not known.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from interlock.limits import (
    COSTLY_NUMBERS_MAX,
    NESTING_MAX,
    has_too_costly_numbers,
    nests_too_deep,
)
from monitor.gate.errors import MalformedError
from monitor.ingest.unrepeated import RepeatedKeyError, check_unrepeated

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode
_any_decoder: Final = msgspec.json.Decoder()
_PAGE: Final = "docs/gate.md has the fields"
SHOWN_CHARS_MAX: Final = 200


def read_body(value: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The value.

    Raises
    ------
    MalformedError
        With the place, and what was expected there.
    """
    if not value:
        raise MalformedError(f"the body is empty; send a JSON object: {_PAGE}")
    if nests_too_deep(value):
        raise MalformedError(f"the body nests deeper than {NESTING_MAX} levels; flatten it")
    if has_too_costly_numbers(value):
        text = f"the body's numbers cost more than {COSTLY_NUMBERS_MAX} (docs/events.md)"
        raise MalformedError(f"{text}; send fewer, or as text")
    try:
        if not _is_as_we_write(value):
            check_unrepeated(value)
        return decoder.decode(value)
    except RepeatedKeyError:
        text = "an object of the body contains a key twice; send each key once"
    except msgspec.ValidationError as error:
        text = f"the body: {_shown(error)}; {_PAGE}"
    except UnicodeDecodeError as error:
        text = f"the body is not UTF-8 from byte {error.start} on; encode it as UTF-8"
    except (msgspec.DecodeError, ValueError) as error:
        text = f"the body is not JSON: {_shown(error)}; send one JSON object"
    except RecursionError:
        text = "the body is nested too deeply to be read; flatten it"
    raise MalformedError(text) from None


def _is_as_we_write(value: bytes) -> bool:
    """True if the text is written as an encoder writes it: then no key is in it twice."""
    try:
        return bool(_encode(_any_decoder.decode(value)) == value)
    except msgspec.ValidationError:
        return False  # Some number is out of range; the text may be JSON all the same.


def _shown(error: Exception) -> str:
    """The decoder's message, which may name a field of the sender's."""
    text = str(error).removeprefix("JSON is malformed: ")
    return text.encode("unicode_escape", "backslashreplace").decode()[:SHOWN_CHARS_MAX]
