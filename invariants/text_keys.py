"""What a text leaves in a data memory, and what must be there for a value to have been shown.

Both are texts that are kept as fingerprints: tokens, pairs of neighbouring tokens, and addresses in
their normal form behind a sign of their sort. `shown_keys` says what is left behind; `readings_of`
says in which ways a value can be read, each as parts of which every one is asked for.
Source: docs/language.md, Data memories; docs/decisions/0028.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, islice, pairwise
from typing import Final, Literal, NamedTuple

from .addresses_of_text import Address, Reading, bare_url, bare_urls, read_addresses
from .normal_urls import normal_host
from .tokens_of_text import spellings, tokens

ADDRESSES_MAX: Final = 64
"""Chosen: addresses of one value, as elements of a list; what is beyond is not known."""
SHOWN_ADDRESSES_MAX: Final = 10_000
"""Chosen: addresses of one shown text, 0.3 s of work; past it the source is not whole."""

# Control characters stand in no token, so that no text can pass for an address.
_MAIL: Final = "\x01mail\x01"
_WIDER_MAIL: Final = "\x01mailbox\x01"
_URL: Final = "\x01url\x01"
_WIDER_URL: Final = "\x01place\x01"
_HOST: Final = "\x01host\x01"
_NEIGHBOURS: Final = "\x00"

_SIGN: Final = re.compile(r"[\w)\].>\"'\\]@|mailto:\s*\S|://|https?:", re.IGNORECASE)
"""A sign of an address that could not be read. `@bob` is a handle."""
_WORD_CHARACTERS_MAX: Final = 24
"""Chosen: a longer token is a key or a number written in letters."""

Run = tuple[str, ...]
"""Keys that must all be there."""


class Part(NamedTuple):
    """Something of a value that is asked for by itself.

    `exact` are ways to name it, each a run; `wider` are ways to name what it may address as well.
    `sort` says how sure the reading is: `guess` may be no address, `rest` stands beside addresses
    and may be an account, `unreadable` bears the sign of an address without being one.
    """

    sort: Literal["certain", "guess", "rest", "unreadable"]
    exact: tuple[Run, ...]
    wider: tuple[Run, ...] = ()


Parts = tuple[Part, ...]


def has_sign(text: str) -> bool:
    """Whether something in a text without addresses looks like one that could not be read."""
    return _SIGN.search(text) is not None


def is_word(token: str) -> bool:
    """Whether a token can be a part of a name, and no number or key."""
    plain = token.replace("-", "").replace(".", "")
    return len(token) <= _WORD_CHARACTERS_MAX and (plain.isalpha() or not plain)


class Left(NamedTuple):
    """What a text leaves behind; not whole if it holds too many addresses."""

    keys: set[str]
    is_whole: bool


def shown_keys(text: str) -> Left:
    """Everything that a text leaves behind."""
    found = tokens(text)
    keys = {*found, *map(_NEIGHBOURS.join, pairwise(found))}
    reading = read_addresses(text, SHOWN_ADDRESSES_MAX)
    for address in reading.addresses:
        keys |= _keys_of_address(address)
    for guess in reading.guesses:
        keys.add(_WIDER_MAIL + guess.address.text)
        keys.update(_WIDER_MAIL + wider for wider in guess.address.wider)
    bare = list(islice(bare_urls(reading.rest), SHOWN_ADDRESSES_MAX + 1))
    for url in bare:
        keys |= {_WIDER_URL + url.wide, _HOST + url.host}
    return Left(keys, reading.is_whole and len(bare) <= SHOWN_ADDRESSES_MAX)


def readings_of(value: str) -> list[Parts]:
    """The ways in which a value can be read; none if it has no token."""
    raw = read_addresses(value, ADDRESSES_MAX)
    has_url = any(address.sort == "url" for address in raw.addresses)
    found: list[Parts] = []
    for spelling in spellings(value):
        if spelling is value:
            found += _readings(value, raw)
        elif has_url:
            # Percent signs belong to URLs: what they hide is another address than without them.
            found += _as_tokens(spelling)
        else:
            found += _readings(spelling, read_addresses(spelling, ADDRESSES_MAX))
    return found


def _readings(text: str, reading: Reading) -> Iterator[Parts]:
    if (
        reading.addresses
        or not reading.is_whole
        or (bare_url(text) is None and any(map(has_sign, reading.rest)))
    ):
        yield tuple(_parts(reading))
        return
    yield from _as_tokens(text)
    if reading.guesses:
        yield tuple(_guesses(reading))


def _as_tokens(text: str) -> Iterator[Parts]:
    """A value without addresses: all its tokens as neighbours, or a host that was named."""
    exact = [run for run in (_pairs(tokens(text)),) if run]
    wider: list[Run] = []
    bare = bare_url(text)
    if bare is not None:
        wider.append((_WIDER_URL + bare.wide,))
        if bare.is_host_only:
            exact.append((_HOST + bare.host,))
    elif text.startswith("[") and (host := normal_host(text)) is not None:
        exact = [(_HOST + host,)]
    if exact:
        yield (Part("certain", tuple(exact), tuple(wider)),)


def _parts(reading: Reading) -> Iterator[Part]:
    for address in reading.addresses:
        yield Part("certain", *_runs_of_address(address))
    if not reading.is_whole:
        yield Part("unreadable", ())
    yield from _guesses(reading)
    for text in reading.rest:
        found = tokens(text)
        if has_sign(text):
            yield Part("unreadable", (_pairs(found),) if found else ())
            continue
        for is_plain, run in groupby(found, is_word):
            if not is_plain:
                yield Part("rest", (_pairs(tuple(run)),))


def _guesses(reading: Reading) -> Iterator[Part]:
    for guess in reading.guesses:
        if guess.words:
            exact, wider = _runs_of_address(guess.address)
            yield Part("guess", (_pairs(tokens(guess.words)),), (*exact, *wider))


def _keys_of_address(address: Address) -> set[str]:
    exact, wider = (_MAIL, _WIDER_MAIL) if address.sort == "mail" else (_URL, _WIDER_URL)
    return {exact + address.text, *(wider + form for form in address.wider), _HOST + address.host}


def _runs_of_address(address: Address) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The exact and the wider ways to name an address."""
    if address.sort == "url":
        place = address.wider[0]
        bare = ((place,),) if place == address.host else ()
        return ((_URL + address.text,),), ((_WIDER_URL + place,), *bare)
    wider = [(_WIDER_MAIL + address.text,)]
    for form in address.wider:
        wider += [(_MAIL + form,), (_WIDER_MAIL + form,)]
    return ((_MAIL + address.text,),), tuple(wider)


def _pairs(found: tuple[str, ...]) -> Run:
    """What must be there for tokens to have been neighbours, or for the only one to be there."""
    return tuple(dict.fromkeys(map(_NEIGHBOURS.join, pairwise(found)))) or found
