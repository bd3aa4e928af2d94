"""`emails(x)` and `urls(x)`: the addresses in a text, each in its normal form.

    emails("Eve <EVE@evil.example>, bob@corp.example")   ["eve@evil.example", "bob@corp.example"]
    urls("HTTPS://Evil.Example:443/a")                   ["https://evil.example/a"]

They are for arguments that contain only addresses. Text that cannot be read as addresses is an
error and not an empty list, since a tool may read it differently: an unread sign of an address, a
number or a key next to addresses, a text without any.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from ..taint.addresses import AddressReading, read_addresses
from ..taint.fingerprints import ADDRESSES_MAX, has_sign, is_word
from ..taint.tokens import tokens
from ..values.value import Failure, text

_MAILTO: Final = re.compile(r"\s*mailto:([^?]*)(?:\?(.*))?", re.IGNORECASE | re.DOTALL)
_RECIPIENTS: Final = frozenset({"to", "cc", "bcc"})
_BEFORE_NAME: Final = re.compile(r"[,;>\n]")


def emails(value: Any) -> list[str]:
    """The distinct e-mail addresses of a text, or of every text of a list, in order.

    Names, comments and `mailto:` around them are ignored; a `+tag` stays. Fails on the errors
    above, on URLs, and on more than 64 addresses.
    """
    return _distinct(value, "emails", _emails)


def urls(value: Any) -> list[str]:
    """The distinct URLs of a text, or of every text of a list, in order.

    Fails on the errors above, on e-mail addresses, on hosts without a scheme, and on more than 64
    URLs.
    """
    return _distinct(value, "urls", _urls)


def _distinct(value: Any, function: str, read: Callable[[str], list[str]]) -> list[str]:
    elements = value if type(value) is list else [value]
    found: dict[str, None] = {}
    for element in elements:
        found.update(dict.fromkeys(read(text(element, function))))
        if len(found) > ADDRESSES_MAX:
            raise Failure(f"`{function}` of more than {ADDRESSES_MAX} addresses")
    return list(found)


def _emails(written: str) -> list[str]:
    link = _MAILTO.fullmatch(written)
    if link is not None:
        fields = parse_qsl(f"to={link[1]}&{link[2] or ''}".replace("+", "%2B"))
        written = ", ".join(content for name, content in fields if name.lower() in _RECIPIENTS)
    reading = read_addresses(written, ADDRESSES_MAX)
    for guess in reading.guesses:
        if guess.words == written.strip():
            return [guess.address.text]
    if any(address.sort == "url" for address in reading.addresses):
        raise Failure("`emails` of a text with a URL in it")
    rest = [_without_name(before) for before in reading.rest[:-1]]
    return _read_whole(reading, [*rest, reading.rest[-1]], "emails")


def _urls(written: str) -> list[str]:
    reading = read_addresses(written, ADDRESSES_MAX)
    if any(address.sort == "mail" and not address.is_inner for address in reading.addresses):
        raise Failure("`urls` of a text with an e-mail address in it")
    return _read_whole(reading, list(reading.rest), "urls")


def _read_whole(reading: AddressReading, rest: list[str], function: str) -> list[str]:
    """The addresses, if there are some and nothing else could be one."""
    found = [address.text for address in reading.addresses if not address.is_inner]
    if not reading.is_whole:
        raise Failure(f"`{function}` of more than {ADDRESSES_MAX} addresses")
    if not found:
        raise Failure(f"`{function}` of a text that names no address")
    if any(has_sign(part) or not all(map(is_word, tokens(part))) for part in rest):
        raise Failure(f"`{function}` of a text that cannot be read as addresses only")
    return found


def _without_name(before: str) -> str:
    """The text before an address without the name in `name <address>`, whatever that is."""
    stripped = before.rstrip()
    if not stripped.endswith("<") or has_sign(before):
        return before
    ends = [match.end() for match in _BEFORE_NAME.finditer(stripped)]
    return stripped[: ends[-1]] if ends else ""
