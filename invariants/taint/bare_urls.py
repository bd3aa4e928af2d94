"""Host names without a scheme, in texts and as whole values: `evil.example/pay`.

Linear in the text. Source: docs/language.md, Addresses in values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from .addresses import plain_text, without_punctuation
from .normal_urls import normal_url

_NAME: Final = re.compile(r"[\w.-]+")
_NAME_CHARACTERS_MAX: Final = 253  # Source: RFC 1035, section 2.3.4.
_BARE_ANCHOR: Final = re.compile(r"\.[^\W\d_]{2,63}+(?::\d|/)")
_BARE: Final = re.compile(
    r"(?>(?:[\w-]++\.)+)[^\W\d_]{2,63}+"
    r"(?::\d{1,5}+)?(?:/[^\s\x00-\x20\"<>`{}|\\^]*+)?"
)


class BareUrl(NamedTuple):
    """A host name without a scheme, and perhaps a path: `evil.example/pay`."""

    hosts: tuple[str, ...]
    wider: tuple[str, ...]
    is_host_only: bool


def bare_urls(rest: Iterable[str]) -> Iterator[BareUrl]:
    """Host names with a path or a port between addresses.

    Other host names are tokens as written, except those outside of ASCII.
    """
    for text in rest:
        end = 0
        for anchor in _BARE_ANCHOR.finditer(text):
            start = anchor.start()
            while start > end and (text[start - 1].isalnum() or text[start - 1] in ".-_"):
                start -= 1
            before = text[max(start - 2, end) : start]
            found = _BARE.match(text, start)
            if found is None or (before[-1:] in tuple("@:/%+") and before != "//"):
                continue
            end = found.end()
            yield from _bare(found[0])
        if not text.isascii():
            for word in _NAME.findall(text):
                if not word.isascii() and "." in word and len(word) <= _NAME_CHARACTERS_MAX:
                    yield from _bare(word)


def _bare(written: str) -> Iterator[BareUrl]:
    bare = bare_url(written)
    if bare is not None:
        yield bare


def bare_url(written: str) -> BareUrl | None:
    """The address of a whole text that is a host name, perhaps with port and path; else None."""
    text = plain_text(written).strip().removeprefix("//")
    if _BARE.fullmatch(text) is None:
        return None
    url = normal_url("https://" + without_punctuation(text))
    return None if url is None else BareUrl(url.hosts, url.wider, url.wider == url.hosts)
