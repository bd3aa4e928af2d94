"""Account numbers in any grouping: `DE89 3704 0044 ...`, `DE89-37040044...`, one word.

For each group of letters and digits of a shown text, two keys are stored: the eight characters from
its beginning on and the eight up to its end, across the signs that separate groups. A value that
looks like an account was shown in another grouping if its first eight characters began a group, and
its last eight ended one. That is enough to accuse, but not to vouch for a value: the middle is not
compared. Among words the beginning and end of an account are not known, so that every group may be
either.

Linear in the text: two keys per group, and none for words that have no digits near them.

Source: docs/language.md, Addresses in values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from .tokens import normalised

_BEGINS: Final = "\x01begins\x01"
_ENDS: Final = "\x01ends\x01"
_LENGTH: Final = 8
"""Chosen: the shortest account numbers; two numbers hardly share it by chance."""
_CHARACTERS_MAX: Final = 64  # Chosen: an IBAN has 34, keys of payment systems up to 44.
_BETWEEN: Final = r"\s./_:()\u2010-\u2015\u2212\u00b7-"
_GROUP: Final = re.compile("[A-Za-z0-9]+")
_BREAK: Final = re.compile(rf"[^A-Za-z0-9{_BETWEEN}]+|[{_BETWEEN}]{{4,}}")
_CHAIN: Final = re.compile(rf"\+?[A-Za-z0-9]+(?:[{_BETWEEN}]{{1,3}}\+?[A-Za-z0-9]+)*")
_ACCOUNT: Final = re.compile(rf"[+(]{{0,2}}[A-Za-z0-9]+(?:[{_BETWEEN}]{{1,3}}[A-Za-z0-9]+)*[.:)]?")
_DIGIT: Final = re.compile("[0-9]")
_DIGITS: Final = re.compile("[0-9]+")
_TWO_DIGITS: Final = re.compile("[0-9][^0-9]*+[0-9]")
_REACH: Final = 4 * _LENGTH
"""Characters of eight groups of one character, with the separators between them."""
_WORD_LETTERS_MIN: Final = 5
"""A longer group of letters is a word. Banks write four into an IBAN (`GB29 NWBK 6016 ...`)."""

_TIME: Final = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
_DATE: Final = (
    r"(?:[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([-/.])[0-9]{1,2}\2[0-9]{4})(?![0-9])"
)
_MOMENT: Final = re.compile(
    rf"(?<![0-9])(?=[0-9]{{1,4}}+[-/.:])(?:{_DATE}(?:[tT ]{_TIME})?|{_TIME}(?![0-9]))"
)
_MOMENTS_REST: Final = re.compile(r"(?>(?:[\s\x00-]|to|and|at|[ap]m|z|utc|gmt)*)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?<=[0-9])[.:](?=[0-9])")
"""It occurs inside amounts, versions and times: no account begins or ends at one."""

_IBAN: Final = re.compile("[A-Za-z]{2}[0-9]{2}")
_IBAN_LENGTHS: Final = range(15, 35)  # Source: ISO 13616.
_IBAN_TRIES_MAX: Final = 256
"""Chosen: check digits of one text that are computed, each in 10 us; then accounts are in doubt."""
_DIALLED: Final = re.compile(r"(?:\+|00)([1-9][0-9]{7,})")


class Account(NamedTuple):
    """The keys stored for a text that showed it: one of `begins` and one of `ends`."""

    begins: tuple[str, ...]
    ends: tuple[str, ...]


class PossibleAccount(NamedTuple):
    """A possible account among words, and its place in the text."""

    start: int
    end: int
    account: Account
    is_certain: bool
    """True if it has valid check digits."""


def account_keys(text: str) -> set[str]:
    """The keys stored for the account numbers of a shown text."""
    begun: set[str] = set()
    ended: set[str] = set()
    plain = normalised(text).lower()
    for start, end in _about_digits(plain):
        # A time of a log would be seven groups. Whatever holds it begins and ends outside of it.
        stretch = _MOMENT.sub(_without_signs, plain[start:end])
        for chain in _BREAK.split(_NUMBER.sub("", stretch)):
            if len(chain) >= _LENGTH and _TWO_DIGITS.search(chain) is not None:
                _add_ends(_GROUP.findall(chain), begun, ended)
    return _keys(begun, ended)


def _without_signs(match: re.Match[str]) -> str:
    return "".join(_DIGITS.findall(match[0]))


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


def _add_ends(groups: list[str], begun: set[str], ended: set[str]) -> None:
    """Adds the characters with which groups that follow each other begin, and end."""
    chain = "".join(groups)
    bounds = list(accumulate(map(len, groups), initial=0))
    last = len(chain) - _LENGTH
    begun.update([chain[start : start + _LENGTH] for start in bounds if start <= last])
    ended.update([chain[end - _LENGTH : end] for end in bounds if end >= _LENGTH])


def _keys(begun: set[str], ended: set[str]) -> set[str]:
    search = _TWO_DIGITS.search
    keys = {_BEGINS + characters for characters in begun if search(characters)}
    keys.update([_ENDS + characters for characters in ended if search(characters)])
    return keys


def account_of(value: str) -> Account | None:
    """The keys that must be stored if a whole value looks like an account."""
    plain = normalised(value).strip().lower()
    if len(plain) > 4 * _CHARACTERS_MAX or _ACCOUNT.fullmatch(plain) is None:
        return None
    account = "".join(filter(str.isalnum, plain))
    first, last = account[:_LENGTH], account[-_LENGTH:]
    is_account = len(account) <= _CHARACTERS_MAX and len(_DIGIT.findall(account)) * 2 >= _LENGTH
    if not (is_account and _may_be_of_account(first) and _may_be_of_account(last)):
        return None
    begins = [first]
    # `+49` is dialled `0049`.
    dialled = _DIALLED.fullmatch("+" * plain.startswith(("+", "(+")) + account)
    if dialled is not None:
        begins += [dialled[1][:_LENGTH], ("00" + dialled[1])[:_LENGTH]]
    return Account(tuple(dict.fromkeys(_BEGINS + key for key in begins)), (_ENDS + last,))


def _may_be_of_account(characters: str) -> bool:
    return len(characters) == _LENGTH and _TWO_DIGITS.search(characters) is not None


def accounts_beside(plain: str) -> Iterator[PossibleAccount]:
    """Possible accounts among the words of a normalised text, in order."""
    tries = iter(range(_IBAN_TRIES_MAX))
    for chain in _CHAIN.finditer(plain):
        groups: list[re.Match[str]] = []
        for group in _GROUP.finditer(plain, chain.start(), chain.end()):
            if group[0].isalpha() and len(group[0]) >= _WORD_LETTERS_MIN:
                yield from _of_stretch(plain, groups, tries)
                groups = []
            else:
                groups.append(group)
        yield from _of_stretch(plain, groups, tries)


def _of_stretch(
    plain: str, groups: list[re.Match[str]], tries: Iterator[int]
) -> Iterator[PossibleAccount]:
    """IBANs in consecutive groups, and the other accounts that these may contain.

    One in a hundred numbers has valid check digits by chance, so that an IBAN does not hide another
    account.
    """
    index = 0
    found: list[PossibleAccount] = []
    while index < len(groups):
        count = _iban_groups(groups, index, tries)
        inner = groups[index : index + count]
        account = account_of("".join(group[0] for group in inner))
        if account is not None:
            found.append(
                PossibleAccount(inner[0].start(), inner[-1].end(), account, is_certain=True)
            )
        index += count or 1
    yield from found
    for doubtful in _in_doubt(plain, groups):
        whole = doubtful
        if found and (whole.start, whole.end) == (found[0].start, found[0].end):
            # Else accounts of one bank, whose middle is alike, would be doubtful.
            heads = "".join(group[0].lower() for group in groups)
            starts = (0, len(groups[0][0])) if groups[0][0].isalpha() else (0,)
            begins = [_BEGINS + heads[start : start + _LENGTH] for start in starts]
            whole = whole._replace(account=whole.account._replace(begins=tuple(begins)))
        yield whole


def _iban_groups(groups: list[re.Match[str]], first: int, tries: Iterator[int]) -> int:
    """How many groups from one on are an IBAN; 0 if none are, or if no try is left."""
    if groups[first][0][0].isdecimal():
        return 0
    written = ""
    for count, group in enumerate(groups[first : first + _IBAN_LENGTHS.stop], 1):
        written += group[0]
        is_longer = len(written) >= _IBAN_LENGTHS.stop
        if is_longer or (len(written) >= 4 and _IBAN.match(written) is None):
            return 0
        if len(written) in _IBAN_LENGTHS:
            if next(tries, None) is None:
                return 0
            if _has_check_digits(written):
                return count
    return 0


def _has_check_digits(iban: str) -> bool:
    """Source: ISO 13616, the remainder of the number by 97 is 1."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def _in_doubt(plain: str, groups: list[re.Match[str]]) -> Iterator[PossibleAccount]:
    numbers = [group for group in groups if _DIGIT.search(group[0])]
    if not numbers:
        return
    start, end = numbers[0].start(), numbers[-1].end()
    start -= plain[start - 1 : start] == "+"
    written = plain[start:end]
    if len(_DIGIT.findall(written)) * 2 < _LENGTH or _is_time(written):
        return
    begun: set[str] = set()
    ended: set[str] = set()
    _add_ends([group[0].lower() for group in groups], begun, ended)
    begins, ends = tuple(_keys(begun, set())), tuple(_keys(set(), ended))
    if begins and ends:
        whole = account_of(written)
        begins += whole.begins if whole else ()
        yield PossibleAccount(start, end, Account(begins, ends), is_certain=False)


def _is_time(written: str) -> bool:
    """True if it consists only of dates and times."""
    return _MOMENTS_REST.fullmatch(_MOMENT.sub("\x00", written)) is not None
