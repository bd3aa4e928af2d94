"""E-mail addresses and URLs in a text, identified by their target and not by their spelling.

    "Eve <EVE@evil.example>"               mail eve@evil.example
    "eve (at) evil dot example"            mail eve@evil.example
    "mailto:eve+news@evil.example"         mail eve+news@evil.example, wider: eve@evil.example
    "hxxps://Evil[.]example:443/a?b#c"     url https://evil.example/a?b, wider: evil.example/a?b

Every address has one normal form. Its *wider* forms are other targets that it may reach. Attackers
write the text: everything here is linear in it, since each scan to the left or right of a sign
stops at the neighbouring sign or after a fixed number of characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote

from .normal_hosts import normal_host
from .normal_urls import NormalUrl, normal_url
from .tokens import normalised

Sort = Literal["mail", "url"]

_MARK: Final = "\x02"
"""Replaces an address that was read; a text that contains it gets a space instead."""
_SCHEME_CHARACTERS_MAX: Final = 16
_LOCAL_CHARACTERS_MAX: Final = 64  # Source: RFC 5321, section 4.5.3.1.1.
_SPACES_MAX: Final = 3  # Chosen: on each side of an at-sign in words.
_INNER_MAX: Final = 64  # Chosen: addresses inside of one URL.
_SIGNS_PER_ADDRESS: Final = 4  # Chosen: at-signs that are looked at for each address wanted.
_NESTED_MAX: Final = 3
"""Chosen: URLs in the query of a URL that are read; each reads to its end again."""
_KNOWN_SCHEMES: Final = ("https", "http", "hxxps", "hxxp", "ssh")

_LEFT, _RIGHT = (
    r"\[({<\u00ab\u2039\u2329\u27e8\u3008\u300a\u300c\u300e\u3010\u3014",
    (r"\])}>\u00bb\u203a\u232a\u27e9\u3009\u300b\u300d\u300f\u3011\u3015"),
)
_DOT_IN_BRACKETS: Final = re.compile(
    rf"[{_LEFT}]\s{{0,2}}(?:dot|\.)\s{{0,2}}[{_RIGHT}]", re.IGNORECASE
)
_BRACKET_DOT: Final = re.compile(rf"\s{{0,3}}{_DOT_IN_BRACKETS.pattern}\s{{0,3}}", re.IGNORECASE)
_BRACKET_COLON: Final = re.compile(r"\[:(//)?\]")
_AT_SIGN: Final = re.compile(
    rf"@(?<!@@)(?!@)|[{_LEFT}]\s{{0,2}}(?:at|@)\s{{0,2}}[{_RIGHT}]", re.IGNORECASE
)
_AT_WORD: Final = re.compile(r"\s[Aa][Tt](?=\s)|[*|_-][Aa][Tt][*|_-]")
_DOMAIN: Final = re.compile(r"[\w-]++(?>(?:\.[\w-]++)*)")
_SPELT_DOMAIN: Final = re.compile(
    r"[\w-]{1,63}+(?>(?:(?:\.|\s{1,3}dot\s{1,3})[\w-]{1,63}+){1,10})", re.IGNORECASE
)
_JOINED_DOMAIN: Final = re.compile(r"[\w*|.-]{1,190}?[*|_-]dot[*|_-][\w*|.-]{1,63}+", re.IGNORECASE)
_JOINED_DOT: Final = re.compile(r"[*|_-]dot[*|_-]", re.IGNORECASE)
_MAIL_PORT: Final = re.compile(r":\d{1,5}+(?!\w|/\w)")
_IN_DOUBT_AFTER: Final = re.compile(r"\.{2,}\w|\([^()]{0,64}\)[\w.]|%[0-9A-Fa-f]{2}")
"""Behind a domain: readers leave it out, stop there, or go on."""
_IN_DOUBT_LOCAL: Final = frozenset("%!")
"""Old relays read the part before or after it as the address."""
_MAILTO: Final = re.compile(r"mailto:[^\s\"'<>]*", re.IGNORECASE)
_FIELD_SIGNS: Final = dict.fromkeys(map(ord, "?&="), " ")
"""They separate the fields of a `mailto:`, though a name before an at-sign may hold them."""
_DOT_WORD: Final = re.compile(r"\s+dot\s+", re.IGNORECASE)
_URL_END: Final = re.compile(r"[\s\x00-\x20\"<>`{}|\\^]|[,;](?=[a-z]{2,8}://)", re.IGNORECASE)
_INNER_END: Final = re.compile(r"[\s\x00-\x20\"<>`{}|\\^&]")
_INNER_SIGNS: Final = dict.fromkeys(map(ord, "/?&=;"), _MARK)
"""They separate the parts of a URL, though a name before an at-sign may hold them."""
_SCP_PATH: Final = re.compile(r":[\w~./][^\s\x00-\x20\"<>`{}|\\^,;@]*+(?!@)")
# Source: RFC 5322 atext, besides letters and digits; the first four are common in addresses.
_LOCAL_PLAIN: Final = frozenset("._+-")
_LOCAL_SPECIAL: Final = frozenset("!#$%&'*/=?^`{|}~")
_LOCAL_ALL: Final = _LOCAL_PLAIN | _LOCAL_SPECIAL
# What nearly every address looks like; whatever these do not match is looked at closely.
_COMMON_LOCAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}")
_COMMON_DOMAIN: Final = re.compile(r"(?:[A-Za-z0-9-]{0,62}[A-Za-z0-9]\.){0,3}[A-Za-z]{1,63}")
_ASCII_END: Final = re.compile(r"[!-~]+\Z")
_ASCII_BEGIN: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class Address(NamedTuple):
    """One address: its normal form, wider forms, its host; inner ones are inside of a URL."""

    sort: Sort
    text: str
    wider: tuple[str, ...]
    host: str
    is_inner: bool = False
    other_hosts: tuple[str, ...] = ()
    """Hosts that other readers make of the same text."""


class Guess(NamedTuple):
    """A possible address, such as `eve at evil dot example`; `words` are as written."""

    address: Address
    words: str


class AddressReading(NamedTuple):
    """A text's addresses in order, the possible ones, and the texts between them.

    `doubtful` are addresses that parsers repair or read in more than one way; their text stays in
    `rest`. It is not whole if the text contains more addresses than were requested.
    """

    addresses: tuple[Address, ...]
    guesses: tuple[Guess, ...]
    rest: tuple[str, ...]
    is_whole: bool
    doubtful: tuple[Address, ...] = ()


@dataclass(slots=True)
class _Found:
    """The results of one scan; it ends when there are more than `most` of both together."""

    most: int
    addresses: list[Address] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    doubtful: list[Address] = field(default_factory=list)
    has_too_many_signs: bool = False

    @property
    def is_enough(self) -> bool:
        return len(self.addresses) + len(self.guesses) + len(self.doubtful) > self.most


class _Sign(NamedTuple):
    """The separator of name and domain, with the white space around it.

    `@` alone is plain; `(at)` is certain too; `at` as a word, or `@` with spaces around it, is a
    guess.
    """

    start: int
    end: int
    is_plain: bool
    is_certain: bool


def read_addresses(text: str, addresses_max: int) -> AddressReading:
    """Every address in a text that a parser searching for addresses would find, up to a bound.

    Cost: linear in the text, and about 30 us for each address or at-sign.
    """
    plain = plain_text(text)
    found = _Found(addresses_max)
    outside = _MARK.join(_outside_urls(plain, found))
    rest = tuple(_outside_mails(outside, found))
    is_whole = not (found.is_enough or found.has_too_many_signs)
    addresses, guesses = found.addresses[:addresses_max], found.guesses[:addresses_max]
    doubtful = tuple(found.doubtful[:addresses_max])
    return AddressReading(tuple(addresses), tuple(guesses), rest, is_whole, doubtful)


def plain_text(text: str) -> str:
    """A text in the form for searching: normalised, with dots and colons taken out of brackets."""
    text = normalised(text).replace(_MARK, " ").replace("\u3002", ".")
    if _MAILTO.search(text):
        text = _MAILTO.sub(lambda link: link[0].translate(_FIELD_SIGNS), text)
    if _DOT_IN_BRACKETS.search(text):
        text = _BRACKET_DOT.sub(".", text)
    return _BRACKET_COLON.sub(r":\1", text) if "[:" in text else text


def _outside_urls(text: str, found: _Found) -> Iterator[str]:
    """Adds every URL of the text; returns the texts between them.

    A URL without a normal form stays in them, where its sign marks an unread part.
    """
    position = searched = 0
    while not found.is_enough and (sign := text.find("://", searched)) >= 0:
        start, scheme = _scheme_before(text, sign, position)
        end = _URL_END.search(text, sign)
        searched = end.start() if end else len(text)
        written = without_punctuation(text[sign:searched])
        url = normal_url(scheme + written) if scheme else None
        if url is not None and not url.is_certain:
            found.doubtful.append(url_address(url))
        elif url is not None:
            yield text[position:start]
            position = sign + len(written)
            found.addresses.append(url_address(url))
            if "%" in url.rest or "@" in url.rest or "://" in url.rest:
                found.addresses.extend(_inner(unquote(url.rest, errors="replace")))
    yield text[position:]


def _inner(rest: str) -> list[Address]:
    """Addresses in the path and the query of a URL: redirects and mail recipients."""
    found = _Found(_INNER_MAX)
    sign = -1
    for _ in range(_NESTED_MAX):
        sign = rest.find("://", sign + 1)
        if sign < 0:
            break
        _, scheme = _scheme_before(rest, sign, 0)
        end = _INNER_END.search(rest, sign)
        url = normal_url(scheme + rest[sign : end.start() if end else len(rest)])
        if url is not None:
            found.addresses.append(url_address(url))
    for _ in _outside_mails(rest.translate(_INNER_SIGNS), found):
        pass
    return [address._replace(is_inner=True) for address in found.addresses]


def url_address(url: NormalUrl) -> Address:
    """A URL as an address."""
    host, *others = url.hosts
    return Address("url", url.text, url.wider, host, other_hosts=tuple(others))


def _scheme_before(text: str, sign: int, first: int) -> tuple[int, str]:
    """The start of the scheme before `://`, and the scheme; a web scheme ends text attached before
    it.
    """
    lowest = max(first, sign - _SCHEME_CHARACTERS_MAX)
    start = sign
    while start > lowest and text[start - 1].isascii() and _is_of_scheme(text[start - 1]):
        start -= 1
    written = text[start:sign].lower()
    for known in _KNOWN_SCHEMES:
        if written.endswith(known):
            return sign - len(known), known.replace("hxxp", "http")
    scheme = written.lstrip("0123456789+.-")
    return sign - len(scheme), scheme


def _is_of_scheme(letter: str) -> bool:
    return letter.isalnum() or letter in "+.-"


def without_punctuation(written: str) -> str:
    """A URL without the punctuation that ends the sentence; brackets that it opened stay."""
    text = written.rstrip(".,;:!?'*")
    if text.endswith((")", "]")) and not text.endswith("://"):
        for left, right in ("()", "[]"):
            surplus = text.count(right) - text.count(left)
            bare = text.rstrip(right)
            if surplus > 0:
                text = text[: max(len(bare), len(text) - surplus)]
        text = text.rstrip(".,;:!?'*")
    return text


def _outside_mails(text: str, found: _Found) -> Iterator[str]:
    """Adds every e-mail address of the text; gives the texts between addresses."""
    position = 0
    for sign in _signs(text, found):
        if found.is_enough:
            break
        start = _local_start(text, sign.start, position) if sign.start >= position else sign.start
        joined = list(_with_joined_dots(text, start, sign))
        found.guesses.extend(joined)
        domain = (_DOMAIN if sign.is_plain else _SPELT_DOMAIN).match(text, sign.end)
        if start == sign.start or domain is None or "@" in _around(text, start, domain.end()):
            continue
        local, end = text[start : sign.start], domain.end()
        mail = _mail(local, _DOT_WORD.sub(".", domain[0]))
        if mail is None:
            continue
        if not sign.is_certain:
            # A name such as `look-at-me.example` in a value is not doubtful for its `at`.
            words = "" if text[sign.start] in "_-" else text[start:end]
            found.guesses.extend(_likely(mail, words))
            continue
        longer = list(_longer_guess(local, domain, text, start))
        found.guesses.extend(longer)
        longer += [guess for guess in joined if guess.words]
        if longer or _IN_DOUBT_AFTER.match(text, end) or not _IN_DOUBT_LOCAL.isdisjoint(local):
            found.doubtful.append(mail)
            continue
        remote = _remote_path(local, domain[0], text, end) if sign.is_plain else None
        if remote is not None:
            url, end = remote
            found.addresses.append(url_address(url))
            found.guesses.append(Guess(mail, ""))
        else:
            found.addresses.append(mail)
            port = _MAIL_PORT.match(text, end)
            end = port.end() if port else end
        yield from text[position:start].split(_MARK)
        position = end
    yield from text[position:].split(_MARK)


def _signs(text: str, scan: _Found) -> Iterator[_Sign]:
    """Every at-sign and every word that may replace one, in order, with white space around."""
    found = [*_AT_SIGN.finditer(text), *_AT_WORD.finditer(text)]
    found.sort(key=re.Match.start)
    signs_max = scan.most * _SIGNS_PER_ADDRESS
    scan.has_too_many_signs = scan.has_too_many_signs or len(found) > signs_max
    for match in found[:signs_max]:
        start, end = match.span()
        lowest, highest = start - _SPACES_MAX, end + _SPACES_MAX
        while start > max(lowest, 0) and text[start - 1].isspace():
            start -= 1
        while end < min(highest, len(text)) and text[end].isspace():
            end += 1
        is_sign = match[0] == "@"
        is_plain = is_sign and (start, end) == match.span()
        yield _Sign(start, end, is_plain, is_plain or _AT_SIGN.fullmatch(match[0]) is not None)


def _around(text: str, start: int, end: int) -> str:
    """The characters before and behind an address: `a@b@c` is none."""
    return text[max(start - 1, 0) : start] + text[end : end + 1]


def _likely(mail: Address, words: str) -> Iterator[Guess]:
    if mail.host.rpartition(".")[2].isalpha():
        yield Guess(mail, words)


def _remote_path(local: str, domain: str, text: str, end: int) -> tuple[NormalUrl, int] | None:
    """`git@host:path`, which is `ssh://git@host/path`."""
    path = _SCP_PATH.match(text, end)
    if path is None or _MAIL_PORT.match(text, end):
        return None
    written = without_punctuation(path[0])
    user = local.lstrip("".join(_LOCAL_SPECIAL))
    url = normal_url(f"ssh://{user}@{domain}/{written[1:].lstrip('/')}")
    return None if url is None else (url, end + len(written))


def _longer_guess(local: str, domain: re.Match[str], text: str, start: int) -> Iterator[Guess]:
    """`eve@evil dot example`."""
    longer = _SPELT_DOMAIN.match(text, domain.start())
    if "." in domain[0] or longer is None or longer.end() == domain.end():
        return
    mail = _mail(local, _DOT_WORD.sub(".", longer[0]))
    if mail is not None:
        yield from _likely(mail, text[start : longer.end()])


def _with_joined_dots(text: str, start: int, sign: _Sign) -> Iterator[Guess]:
    """`eve-at-evil-dot-example`. Only without another dot is a value likely to mean it."""
    domain = _JOINED_DOMAIN.match(text, sign.end) if start < sign.start else None
    mail = domain and _mail(text[start : sign.start], _JOINED_DOT.sub(".", domain[0]))
    if domain and mail:
        is_meant = sign.is_plain and "." not in domain[0]
        yield from _likely(mail, text[start : domain.end()] if is_meant else "")


def _local_start(text: str, end: int, first: int) -> int:
    """The start of the name before an at-sign."""
    lowest = max(first, end - _LOCAL_CHARACTERS_MAX - 1)
    start = end
    while start > lowest and (text[start - 1].isalnum() or text[start - 1] in _LOCAL_ALL):
        start -= 1
    return start


def _mail(local: str, domain: str) -> Address | None:
    """The address of a name and a domain as they were found; None if they make none."""
    if _COMMON_LOCAL.fullmatch(local) and _COMMON_DOMAIN.fullmatch(domain):
        host = domain.lower()
        return Address("mail", f"{local.lower()}@{host}", (), host)
    core = local.lstrip("".join(_LOCAL_SPECIAL | {"."})).lower()
    last = "".join(letter if letter not in _LOCAL_SPECIAL else " " for letter in core).split()
    if len(local) > _LOCAL_CHARACTERS_MAX:
        core = last[-1] if last and len(last) > 1 else ""
    domain = domain.lower().strip("._-")
    found = normal_host(domain)
    if not core or found is None:
        return None
    name = found.name
    ascii_end = _ASCII_END.search(core)
    names = [core, *last[-1:], core.lstrip("_"), *([ascii_end[0]] if ascii_end else [])]
    hosts = [name, *found.others]
    ascii_begin = _ASCII_BEGIN.match(domain)
    if ascii_begin and not domain.isascii():
        hosts.append(ascii_begin[0])
    text = f"{core}@{name}"
    wider = dict.fromkeys(f"{_untagged(one)}@{host}" for one in names if one for host in hosts)
    wider.pop(text, None)
    return Address("mail", text, tuple(wider), name, other_hosts=found.others)


def _untagged(name: str) -> str:
    """`eve` of `eve+news`."""
    return name[:1] + name[1:].partition("+")[0]
