"""URLs in one normal form, so that two spellings of one address are equal.

    normal_url("HTTPS://Evil.Example:443/a/../b")   https://evil.example/b
    contacted("https:\\\\ev\til.example")             https://evil.example/, in doubt

A URL that clients could read as two addresses is in doubt: an IPv4 address in an unusual form, a
second `@` before the path, percent signs in the host. Linear in the text.

Source: RFC 3986, section 6; the URL Standard (WHATWG), for repairs; docs/language.md.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from .normal_hosts import normal_host

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ssh": 22, "git": 9418}
_WITHOUT_USER: Final = frozenset({"http", "https", "ws", "wss"})
"""In these a user before the host is a credential; in others it may belong to the address."""
_WEB_PORTS: Final = ("80", "443")
"""Ports that a host without a scheme may have by default."""
_PORT_DIGITS_MAX: Final = 5
_URL: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
# What nearly every URL looks like, without query; whatever it does not match is looked at closely.
_COMMON_URL: Final = re.compile(
    r"(https?)://((?:[a-z0-9-]{1,50}\.){1,4}[a-z]{2,50})((?>(?:/[\w~-][\w.~-]*+)*)/?)",
    re.ASCII | re.IGNORECASE,
)
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_TO_ESCAPE: Final = re.compile(r"[^!-~]+")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_REMOVED: Final = str.maketrans("", "", "\t\n\r")
_TRIMMED: Final = "".join(map(chr, range(0x21)))
_REPAIRED: Final = re.compile(
    r"(?:(?P<scheme>https?|wss?|ftp|hxxps?):)?(?P<slashes>[/\\]*)"
    r"(?P<place>[^?#]*)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_NAMED_PLACE: Final = re.compile(
    r"[^/:]*[^/:.]\.[^/:]|0x[0-9a-f]+(?:[:/]|\Z)|[0-9]{8,}(?:[:/]|\Z)", re.I
)
"""A possible host without scheme and slashes: with a dot in it, or IPv4 as one number."""


class NormalUrl(NamedTuple):
    """A URL's normal form, wider ones without scheme, user, fragment and case, and its hosts.

    `hosts` are those that clients contact, the first of them by the URL Standard. In doubt
    (`is_certain` false) `text` is the target of most clients.
    """

    text: str
    wider: tuple[str, ...]
    hosts: tuple[str, ...]
    rest: str
    """Path and query, which may contain other addresses."""
    is_certain: bool = True

    @property
    def host(self) -> str:
        return self.hosts[0]


def normal_url(written: str) -> NormalUrl | None:
    """The normal form of `scheme://...`; None if no reader takes the text for one."""
    common = _COMMON_URL.fullmatch(written)
    if common is not None:
        host, path = common[2].lower(), common[3] or "/"
        wide = f"{host}{path.rstrip('/')}".lower()
        return NormalUrl(f"{common[1].lower()}://{host}{path}", (wide,), (host,), path)
    parts = _URL.fullmatch(written)
    if parts is None:
        return None
    scheme = parts["scheme"].lower()
    user, _, place = parts["authority"].rpartition("@")
    name, port = _name_and_port(place)
    found = normal_host(name)
    if found is None or port is None:
        return None
    hosts = (found.name, *found.others)
    path = _without_dots(_normal_escapes(parts["path"])) or "/"
    query = _normal_escapes(parts["query"] or "")
    fragment = _normal_escapes(parts["fragment"] or "")
    # Clients do not send it, so it is not part of the address; `#/page` and `#!page` are pages.
    fragment = f"#{fragment}" if fragment[:1] in ("/", "!") else ""
    owner = f"{user}@" if user and scheme not in _WITHOUT_USER else ""
    shown_port = "" if port == str(_PORTS.get(scheme, "")) or not port else f":{port}"
    wide_port = "" if port in _WEB_PORTS else shown_port
    return NormalUrl(
        text=f"{scheme}://{owner}{found.name}{shown_port}{path}{query}{fragment}",
        wider=tuple(f"{host}{wide_port}{path.rstrip('/')}{query}".lower() for host in hosts),
        hosts=hosts,
        rest=f"{path}{parts['query'] or ''}",
        is_certain=found.is_certain and "@" not in user,
    )


def contacted(written: str) -> NormalUrl | None:
    """The URL that browsers contact if the whole text is typed or given to them, always in doubt.

    They drop tabs and line ends anywhere, take `\\` for `/`, do not count the slashes behind a
    web scheme, and add a scheme. None for a text with white space in it, for an e-mail address, and
    for a name without a dot.
    """
    text = written.strip(_TRIMMED).translate(_REMOVED)
    parts = _REPAIRED.fullmatch(text)
    if parts is None or any(map(str.isspace, text)):
        return None
    place = parts["place"].replace("\\", "/")
    scheme = (parts["scheme"] or "").lower().replace("hxxp", "http")
    if not scheme:
        is_path = len(parts["slashes"]) == 1
        is_name = _NAMED_PLACE.match(place) is not None
        if is_path or "@" in place or not (parts["slashes"] or is_name):
            return None
    url = normal_url(f"{scheme or 'https'}://{place}{parts['rest']}")
    return None if url is None else url._replace(is_certain=False)


def _name_and_port(place: str) -> tuple[str, str | None]:
    """The host as written, and the port without leading zeros; None if it is faulty."""
    name, mark, port = place.rpartition(":")
    if not mark or "]" in port:
        return place, ""
    if not port:
        return name, ""
    if not (port.isascii() and port.isdigit()):
        return name, None
    port = port.lstrip("0") or "0"
    return name, port if len(port) <= _PORT_DIGITS_MAX and int(port) < 1 << 16 else None


def _normal_escapes(text: str) -> str:
    """Percent-encoding only where it is necessary, in upper case."""
    if "%" in text:
        text = _PERCENT.sub(_normal_escape, text)
    return _TO_ESCAPE.sub(lambda match: quote(match[0], errors="replace"), text)


def _normal_escape(match: re.Match[str]) -> str:
    letter = chr(int(match[0][1:], 16))
    return letter if letter in _UNRESERVED else match[0].upper()


def _without_dots(path: str) -> str:
    """Without `.` and `..` as segments (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
