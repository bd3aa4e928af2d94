"""The keys that a text adds to a data memory, and those required for a value to have been shown.

Both are texts that are stored as fingerprints: tokens, pairs of neighbouring tokens, and addresses
in their normal form after a sign for their sort. `shown_keys` returns the added keys; `readings_of`
returns the readings of a value, each as parts that are all required.

Source: docs/language.md, Data memories; docs/decisions/0028.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby, islice, pairwise
from typing import Final, Literal, NamedTuple

from .accounts import Account, account_keys, account_of, accounts_beside
from .addresses import Address, AddressReading, read_addresses, url_address
from .bare_urls import bare_url, bare_urls
from .broken_words import repaired_among_words
from .normal_hosts import normal_host
from .normal_urls import NormalUrl, contacted
from .tokens import normalised, spellings, tokens

ADDRESSES_MAX: Final = 64
"""Chosen: addresses of one value, like elements of a list; further ones are unknown."""
SHOWN_ADDRESSES_MAX: Final = 10_000
"""Chosen: addresses of one shown text, 0.3 s of work; past it the source is not whole."""

# Tokens contain no control characters, so that no text can imitate an address.
_MAIL: Final = "\x01mail\x01"
_WIDER_MAIL: Final = "\x01mailbox\x01"
_URL: Final = "\x01url\x01"
_WIDER_URL: Final = "\x01place\x01"
_HOST: Final = "\x01host\x01"
_NEIGHBOURS: Final = "\x00"

_SIGN: Final = re.compile(
    r"[\w)\].>\"'\\]@|mailto:\s*\S|://|https?:|\b(?:ftp|wss?):[/\\]|=\?[\w-]+\?[bq]\?",
    re.IGNORECASE,
)
"""A sign of an address that could not be read. `@bob` is a handle."""
_WORD_CHARACTERS_MAX: Final = 24
"""Chosen: a longer token is a key or a number written in letters."""

_TOKEN_CHARACTERS_MAX: Final = 64  # Chosen: of a token about an account, to each side.
_TOKEN_END: Final = re.compile(r"(?<![\w@.+/:-])[\w@.+/:-]+\Z")
_TOKEN_BEGIN: Final = re.compile(r"[\w@.+/:-]+")

_LINES: Final = re.compile(r"(?<=\S)[\t\n\r]+(?=\S)")
"""Characters that parsers of URLs and of headers drop within an address."""
_URL_LINE: Final = re.compile(r"\s*https?://[^\s/]+", re.IGNORECASE)
"""No other scheme: for parsers that drop the break, `https://evil.e` and `xample://ok` are one
host."""
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Some readers end an address at one of these, others drop it."""

Run = tuple[str, ...]
"""Keys that must all be there."""


class Part(NamedTuple):
    """A part of a value that is tested by itself.

    `exact` are its names, each a run; `wider` are names of other targets that it may reach.
    `account` is another wider name. `sort` is the certainty of the reading: `guess` may not be an
    address, `rest` is next to addresses and may be an account, `unreadable` has the sign of an
    address without being one, and `perhaps` counts only if a wider name was shown.
    """

    sort: Literal["certain", "guess", "rest", "unreadable", "perhaps"]
    exact: tuple[Run, ...]
    wider: tuple[Run, ...] = ()
    account: Account | None = None


Parts = tuple[Part, ...]


def has_sign(text: str) -> bool:
    """True if a part of a text without addresses looks like an unreadable one."""
    return _SIGN.search(text) is not None


def is_word(token: str) -> bool:
    """True if a token can be a part of a name, and is not a number or key."""
    plain = token.replace("-", "").replace(".", "")
    return len(token) <= _WORD_CHARACTERS_MAX and (plain.isalpha() or not plain)


class Left(NamedTuple):
    """The keys that a text adds; not whole if it contains too many addresses."""

    keys: set[str]
    is_whole: bool


def shown_keys(text: str) -> Left:
    """Everything that a text leaves behind."""
    found = tokens(text)
    keys = {*found, *map(_NEIGHBOURS.join, pairwise(found)), *account_keys(text)}
    reading = read_addresses(text, SHOWN_ADDRESSES_MAX)
    for address in reading.addresses:
        keys |= _keys_of_address(address)
    for guess in reading.guesses:
        keys.add(_WIDER_MAIL + guess.address.text)
        keys.update(_WIDER_MAIL + wider for wider in guess.address.wider)
    bare = list(islice(bare_urls(reading.rest), SHOWN_ADDRESSES_MAX + 1))
    for address in reading.doubtful:
        keys |= _wider_keys(address)
    for url in bare:
        keys.update(_WIDER_URL + wide for wide in url.wider)
        keys.update(_HOST + host for host in url.hosts)
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
            # Percent signs belong to URLs: decoded, they give another address.
            is_alone = len(raw.addresses) == 1 and not any(map(tokens, raw.rest))
            only = raw.addresses[0] if is_alone else None
            found += _as_tokens(spelling, ((), ()) if only is None else _runs_of_address(only))
        else:
            found += _readings(spelling, read_addresses(spelling, ADDRESSES_MAX))
    return [*found, *_repaired(value, raw)]


def _repaired(value: str, raw: AddressReading) -> Iterator[Parts]:
    """The readings of a value by parsers that repair it, besides the literal one."""
    if (raw.addresses or raw.doubtful) and _UNPRINTABLE.search(value):
        yield (Part("unreadable", ()),)
    plain = normalised(value)
    joined = repaired_among_words(plain)
    if not joined.is_whole:
        yield (Part("unreadable", ()),)
    asked = {run for address in raw.addresses for run in _all_runs(address)}
    for guess in joined.guesses:
        # The literal value is tested more exactly there.
        runs = tuple(run for run in _all_runs(guess.address) if run not in asked)
        if runs:
            yield (Part("perhaps", (_pairs(tokens(guess.words)),), runs),)
    url = contacted(plain)
    if url is not None and not _is_plain(value, raw, url):
        exact, wider = _runs_of_address(url_address(url))
        hosts = tuple((_HOST + host,) for host in url.hosts if url.wider == url.hosts)
        # A source that wrote exactly this value vouches for it.
        as_written = _pairs(tokens(value))
        if _is_list(value):
            yield (Part("perhaps", (as_written,), (*exact, *wider)),)
        else:
            yield (Part("certain", (as_written,), (*exact, *wider, *hosts)),)
    if _LINES.search(value):
        whole = read_addresses(_LINES.sub("", value), ADDRESSES_MAX)
        mails = [address for address in whole.addresses if address.sort == "mail"]
        if len(mails) == len(whole.addresses) == 1 and not any(map(has_sign, whole.rest)):
            exact, wider = _runs_of_address(mails[0])
            wider = tuple(run for run in wider if run not in asked)
            exact = (_pairs(tokens(value)), *exact)
            if raw.addresses:
                # The reading on one line is more likely.
                yield (Part("perhaps", exact, (*exact, *wider)),)
            else:
                yield (Part("certain", exact, wider),)


def _is_plain(value: str, raw: AddressReading, url: NormalUrl) -> bool:
    """True if the contacted address is already tested."""
    if any(address.text == url.text for address in raw.addresses):
        return True
    bare = bare_url(value)
    return bare is not None and bare.wider == url.wider


def _is_list(value: str) -> bool:
    """True if each line is a URL: then they are unlikely to be parts of one."""
    lines = _LINES.split(value)
    return len(lines) > 1 and all(map(_URL_LINE.match, lines))


def _readings(text: str, reading: AddressReading) -> Iterator[Parts]:
    if (
        reading.addresses
        or not reading.is_whole
        or (bare_url(text) is None and any(map(has_sign, reading.rest)))
    ):
        yield tuple(_parts(reading))
        return
    yield from _as_tokens(text)
    yield from _with_accounts(text)
    if any(guess.words for guess in reading.guesses):
        yield tuple(_guesses(reading))


def _as_tokens(
    text: str, named: tuple[tuple[Run, ...], tuple[Run, ...]] = ((), ())
) -> Iterator[Parts]:
    """A value without addresses: all its tokens as neighbours, or a host that was named.

    `named` are exact and wider ways to name an address that it holds in another spelling.
    """
    exact = [*(run for run in (_pairs(tokens(text)),) if run), *named[0]]
    wider = [*named[1]]
    bare = bare_url(text)
    if bare is not None:
        wider += [(_WIDER_URL + wide,) for wide in bare.wider]
        if bare.is_host_only:
            exact.append((_HOST + bare.hosts[0],))
            wider += [(_HOST + host,) for host in bare.hosts[1:]]
    elif text.startswith("[") and (host := normal_host(text)) is not None:
        exact = [(_HOST + host.name,)]
        wider += [(_HOST + other,) for other in host.others]
    if exact:
        yield (Part("certain", tuple(exact), tuple(wider), account_of(text)),)


def _with_accounts(text: str) -> Iterator[Parts]:
    """A value of words with account numbers among them, as if it were these."""
    plain = normalised(text)
    certain: list[Part] = []
    between, position = [], 0
    for beside in accounts_beside(plain):
        exact = _runs_of_stretch(plain, beside.start, beside.end)
        if beside.is_certain:
            certain.append(Part("certain", exact, account=beside.account))
            between.append(plain[position : beside.start])
            position = beside.end
        else:
            yield (Part("perhaps", exact, account=beside.account),)
    if certain:
        yield (*certain, *_rest((*between, plain[position:])))


def _parts(reading: AddressReading) -> Iterator[Part]:
    for address in reading.addresses:
        yield Part("certain", *_runs_of_address(address))
    for address in reading.doubtful:
        exact, wider = _runs_of_address(address)
        yield Part("unreadable", (), (*exact, *wider))
    if not reading.is_whole:
        yield Part("unreadable", ())
    yield from _guesses(reading)
    yield from _rest(reading.rest)


def _rest(texts: Iterable[str]) -> Iterator[Part]:
    """The parts next to addresses."""
    for text in texts:
        found = tokens(text)
        if has_sign(text):
            yield Part("unreadable", (_pairs(found),) if found else ())
            continue
        for is_plain, run in groupby(found, is_word):
            if not is_plain:
                words = tuple(run)
                yield Part("rest", (_pairs(words),), account=account_of(" ".join(words)))
        plain = normalised(text)
        for beside in accounts_beside(plain):
            exact = _runs_of_stretch(plain, beside.start, beside.end)
            yield Part("rest", exact, account=beside.account)


def _guesses(reading: AddressReading) -> Iterator[Part]:
    for guess in reading.guesses:
        if guess.words:
            exact, wider = _runs_of_address(guess.address)
            yield Part("guess", (_pairs(tokens(guess.words)),), (*exact, *wider))


def _keys_of_address(address: Address) -> set[str]:
    exact, wider = (_MAIL, _WIDER_MAIL) if address.sort == "mail" else (_URL, _WIDER_URL)
    hosts = (address.host, *address.other_hosts)
    return {
        exact + address.text,
        *(wider + form for form in address.wider),
        *(_HOST + host for host in hosts),
    }


def _wider_keys(address: Address) -> set[str]:
    """For an address in doubt: writing it so does not name it for certain."""
    wider = _WIDER_MAIL if address.sort == "mail" else _WIDER_URL
    forms = (address.text, *address.wider) if address.sort == "mail" else address.wider
    return {
        *(wider + form for form in forms),
        *(_HOST + host for host in (address.host, *address.other_hosts)),
    }


def _runs_of_address(address: Address) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """The exact and the wider ways to name an address."""
    if address.sort == "url":
        bare = ((address.host,),) if address.wider[0] == address.host else ()
        return ((_URL + address.text,),), (*((_WIDER_URL + w,) for w in address.wider), *bare)
    wider = [(_WIDER_MAIL + address.text,)]
    for form in address.wider:
        wider += [(_MAIL + form,), (_WIDER_MAIL + form,)]
    return ((_MAIL + address.text,),), tuple(wider)


def _runs_of_stretch(plain: str, start: int, end: int) -> tuple[Run, ...]:
    """A part of a text, and the same with all of its outer tokens: `IBAN:DE89 3704`."""
    before = _TOKEN_END.search(plain, max(start - _TOKEN_CHARACTERS_MAX, 0), start)
    behind = _TOKEN_BEGIN.match(plain, end, end + _TOKEN_CHARACTERS_MAX)
    first, last = before.start() if before else start, behind.end() if behind else end
    runs = (_pairs(tokens(plain[start:end])), _pairs(tokens(plain[first:last])))
    return tuple(dict.fromkeys(run for run in runs if run))


def _all_runs(address: Address) -> tuple[Run, ...]:
    exact, wider = _runs_of_address(address)
    return (*exact, *wider)


def _pairs(found: tuple[str, ...]) -> Run:
    """The keys that show tokens to have been neighbours, or a single token to have occurred."""
    return tuple(dict.fromkeys(map(_NEIGHBOURS.join, pairwise(found)))) or found
