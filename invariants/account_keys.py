"""Account numbers however they are grouped: `DE89 3704 0044 ...`, `DE89-37040044...`, one word.

A shown text leaves behind, of each group of letters and digits, the eight characters from its
beginning on and those up to its end, across the signs that separate groups. A value that looks like
an account was shown in another grouping if its first eight characters began a group, and its last
eight ended one. That is enough to accuse, and not to endorse: the middle is not compared.

Linear in the text: two keys a group, and none for words without digits about them.
Source: docs/language.md, Addresses in values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from .tokens_of_text import normalised

_BEGINS: Final = "\x01begins\x01"
_ENDS: Final = "\x01ends\x01"
_LENGTH: Final = 8
"""Chosen: the shortest account numbers; two numbers hardly share it by chance."""
_CHARACTERS_MAX: Final = 64  # Chosen: an IBAN has 34, keys of payment systems up to 44.
_DIGITS_MIN: Final = 2
"""Digits among the eight: an IBAN may begin with country, check digits and a bank's letters."""
_BETWEEN: Final = r"\s./_:()\u2010-\u2015\u2212\u00b7-"
_GROUP: Final = re.compile("[A-Za-z0-9]+")
_BREAK: Final = re.compile(rf"[^A-Za-z0-9{_BETWEEN}]+|[{_BETWEEN}]{{4,}}")
_ACCOUNT: Final = re.compile(rf"[+(]{{0,2}}[A-Za-z0-9]+(?:[{_BETWEEN}]{{1,3}}[A-Za-z0-9]+)*[.:)]?")
_DIGIT: Final = re.compile("[0-9]")
_DIGITS: Final = re.compile("[0-9]+")
_REACH: Final = 4 * _LENGTH
"""Characters of eight groups of one character, with what stands between them."""


def account_keys(text: str) -> set[str]:
    """What a shown text leaves behind about its account numbers."""
    found: set[str] = set()
    plain = normalised(text).lower()
    for start, end in _about_digits(plain):
        for chain in _BREAK.split(plain[start:end]):
            if len(chain) >= _LENGTH and _DIGIT.search(chain) is not None:
                _add_keys(_GROUP.findall(chain), found)
    return found


def _about_digits(plain: str) -> Iterator[tuple[int, int]]:
    """Stretches without which no key has a digit. A group that one cuts leaves a key too many."""
    first, last = 0, -1
    for match in _DIGITS.finditer(plain):
        if match.start() - _REACH > last:
            if last >= 0:
                yield first, last
            first = max(match.start() - _REACH, 0)
        last = match.end() + _REACH
    if last >= 0:
        yield first, last


def _add_keys(groups: list[str], found: set[str]) -> None:
    """Adds the keys of groups that follow each other."""
    chain, end = "".join(groups), 0
    digits_before = [0, *accumulate(map(str.isdecimal, chain))]
    for group in groups:
        start, end = end, end + len(group)
        stop, first = start + _LENGTH, end - _LENGTH
        if stop <= len(chain) and digits_before[stop] - digits_before[start] >= _DIGITS_MIN:
            found.add(_BEGINS + chain[start:stop])
        if first >= 0 and digits_before[end] - digits_before[first] >= _DIGITS_MIN:
            found.add(_ENDS + chain[first:end])


def account_run(value: str) -> tuple[str, ...]:
    """The keys that a value which looks like an account must have left; none for another one."""
    plain = normalised(value).strip().lower()
    if len(plain) > 4 * _CHARACTERS_MAX or _ACCOUNT.fullmatch(plain) is None:
        return ()
    account = "".join(filter(str.isalnum, plain))
    first, last = account[:_LENGTH], account[-_LENGTH:]
    is_account = len(account) <= _CHARACTERS_MAX and len(_DIGIT.findall(account)) * 2 >= _LENGTH
    if not (is_account and _may_be_of_account(first) and _may_be_of_account(last)):
        return ()
    return (_BEGINS + first, _ENDS + last)


def _may_be_of_account(characters: str) -> bool:
    return len(characters) == _LENGTH and len(_DIGIT.findall(characters)) >= _DIGITS_MIN
