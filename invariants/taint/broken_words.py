"""Addresses among words that parsers repair: `see https://ev<TAB>il.example/pay now`.

Parsers drop tabs and line ends within an address, or treat them as its end; browsers treat a
backslash as a slash. Among words the end of an address is not known. Every way to join the parts is
tried, and counts only if it was shown.

Source: the URL Standard (WHATWG), for the dropped characters; docs/decisions/0028.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from .addresses import Address, Guess, read_addresses, url_address, without_punctuation
from .normal_urls import contacted

_LONG_WORD: Final = re.compile(r"[^ \"'<>`{}|^]+")
_BREAKS: Final = re.compile(r"[\t\n\r\\]")
_LINES: Final = re.compile(r"[\t\n\r]+")
_URL_START: Final = re.compile(r"(?:(?:https?|hxxps?|wss?|ftp):)?[/\\]{2,}", re.IGNORECASE)
_JOINED_MAX: Final = 128
"""Chosen: 64 URLs, each on a line of its own."""
_URL_CHARACTERS_MAX: Final = 4_096
"""Chosen: browsers and servers take 2,000 to 8,000 characters."""
_URLS_IN_URL_MAX: Final = 2
"""A URL, and one in its query; if more begin, they are lines of a list."""
_BEFORE_MAX, _BEHIND_MAX = 2, 4
"""Chosen: pieces of an e-mail address before the one with the at-sign, and behind it."""


class Repaired(NamedTuple):
    """Possible addresses, as written; not whole if more can be joined than are tried."""

    guesses: tuple[Guess, ...]
    is_whole: bool


def repaired_among_words(plain: str) -> Repaired:
    """Addresses in a normalised text for parsers that drop tabs and line ends.

    Cost: linear in the text, and up to 20 us for each of 128 joined texts.
    """
    found: dict[Guess, None] = {}
    tried = 0
    if _BREAKS.search(plain) is None:
        return Repaired((), is_whole=True)
    for word in _LONG_WORD.finditer(plain):
        for is_url, words in _joined(_LINES.split(word[0])):
            tried += 1
            if tried > _JOINED_MAX or len(words) > _URL_CHARACTERS_MAX:
                return Repaired(tuple(found), is_whole=False)
            written = words.replace("\n", "")
            for address in _urls(written) if is_url else _mails(written):
                found[Guess(address, words)] = None
    return Repaired(tuple(found), is_whole=True)


def _joined(pieces: list[str]) -> Iterator[tuple[bool, str]]:
    """Every run of pieces, on lines, that may be one URL, or else one e-mail address."""
    for index, piece in enumerate(pieces):
        for start in _URL_START.finditer(piece):
            written, urls_count = piece[start.start() :], 1
            if "\\" in written:
                yield True, written
            for more in pieces[index + 1 :]:
                urls_count += len(_URL_START.findall(more))
                if urls_count > _URLS_IN_URL_MAX:
                    break
                written += "\n" + more
                yield True, written
        if piece.count("@") == 1 and len(pieces) > 1:
            for first in range(max(index - _BEFORE_MAX, 0), index + 1):
                for last in range(index, min(index + _BEHIND_MAX, len(pieces) - 1) + 1):
                    written = "\n".join(pieces[first : last + 1])
                    if first < last and written.count("@") == 1:
                        yield False, written


def _urls(written: str) -> Iterator[Address]:
    url = contacted(without_punctuation(written))
    if url is not None:
        yield url_address(url)


def _mails(written: str) -> Iterator[Address]:
    reading = read_addresses(written, 1)
    yield from (address for address in reading.addresses if address.sort == "mail")
