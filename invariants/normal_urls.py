"""URLs and host names in one normal form, so that two spellings of one address are equal.

    normal_url("HTTPS://Evil.Example:443/a/../b")   https://evil.example/b
    normal_host("B\u00fccher.example.")                 xn--bcher-kva.example

What clients could read as two addresses has no normal form: an IPv4 address in an unusual form, a
second `@` before the path, a host with characters that no name has. Linear in the text.
Source: RFC 3986, section 6; docs/language.md, Data memories.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import quote

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ssh": 22, "git": 9418}
_WITHOUT_USER: Final = frozenset({"http", "https", "ws", "wss"})
"""There a user before the host is a credential; in others it may belong to the address."""
_NAME_CHARACTERS_MAX: Final = 253  # Source: RFC 1035, section 2.3.4, without the final dot.
_LABEL_CHARACTERS_MAX: Final = 63
_URL: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
# What nearly every URL looks like, without query; whatever it does not match is looked at closely.
_COMMON_URL: Final = re.compile(
    r"(https?)://((?:[a-z0-9-]{1,50}\.){1,4}[a-z]{2,50})((?:/[\w~-][\w.~-]*+)*+/?)",
    re.ASCII | re.IGNORECASE,
)
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_TO_ESCAPE: Final = re.compile(r"[^!-~]+")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class NormalUrl(NamedTuple):
    """A URL's normal form, its form without scheme, user, fragment and case, and its host."""

    text: str
    wide: str
    host: str
    rest: str
    """Path and query, where other addresses may stand."""


def normal_url(written: str) -> NormalUrl | None:
    """The normal form of `scheme://...`; None if the text has none."""
    common = _COMMON_URL.fullmatch(written)
    if common is not None:
        host, path = common[2].lower(), common[3] or "/"
        wide = f"{host}{path.rstrip('/')}".lower()
        return NormalUrl(f"{common[1].lower()}://{host}{path}", wide, host, path)
    parts = _URL.fullmatch(written)
    if parts is None:
        return None
    scheme = parts["scheme"].lower()
    user, _, place = parts["authority"].rpartition("@")
    name, port = _name_and_port(place)
    host = normal_host(name)
    if host is None or port is None or "@" in user:
        return None
    if port == str(_PORTS.get(scheme, "")):
        port = ""
    whole_host = f"{host}:{port}" if port else host
    path = _without_dots(_normal_escapes(parts["path"])) or "/"
    query = _normal_escapes(parts["query"] or "")
    fragment = _normal_escapes(parts["fragment"] or "")
    # What clients keep to themselves is no part of the address; `#/page` and `#!page` are pages.
    fragment = f"#{fragment}" if fragment[:1] in ("/", "!") else ""
    owner = f"{user}@" if user and scheme not in _WITHOUT_USER else ""
    return NormalUrl(
        text=f"{scheme}://{owner}{whole_host}{path}{query}{fragment}",
        wide=f"{whole_host}{path.rstrip('/')}{query}".lower(),
        host=host,
        rest=f"{path}{parts['query'] or ''}",
    )


def normal_host(written: str) -> str | None:
    """A name in lower case and ASCII, an IPv4 address as four numbers, or IPv6 in brackets."""
    if written.startswith("["):
        return _normal_ipv6(written)
    name = normal_name(written)
    if name is None:
        return None
    last = name.rpartition(".")[2]
    if (last.isdigit() or last.startswith("0x")) and not _is_dotted_quad(name):
        return None
    return name


def normal_name(written: str) -> str | None:
    """Labels between dots, in lower case and ASCII (punycode), without the final dot."""
    name = written.lower().replace("\u3002", ".").removesuffix(".")
    if len(name) > _NAME_CHARACTERS_MAX:
        return None
    labels = [_normal_label(label) for label in name.split(".")]
    return None if None in labels else ".".join(map(str, labels))


def _normal_label(label: str) -> str | None:
    if not label or len(label) > _LABEL_CHARACTERS_MAX:
        return None
    if not all(letter.isalnum() or letter in "-_" for letter in label):
        return None
    if label.isascii():
        return label
    try:
        encoded = "xn--" + label.encode("punycode").decode("ascii")
    except UnicodeError:
        return None
    return encoded if len(encoded) <= _LABEL_CHARACTERS_MAX else None


def _normal_ipv6(written: str) -> str | None:
    if not written.endswith("]"):
        return None
    try:
        address = ipaddress.IPv6Address(written[1:-1])
    except ValueError:
        return None
    if address.scope_id is not None:
        return None
    mapped = address.ipv4_mapped
    if mapped is None:
        return f"[{address.compressed}]"
    # Python writes these in two ways, by its version.
    return f"[::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}]"


def _is_dotted_quad(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def _name_and_port(place: str) -> tuple[str, str | None]:
    """The host as it is written, and the port without zeros before it; None for a faulty one."""
    name, mark, port = place.rpartition(":")
    if not mark or "]" in port:
        return place, ""
    if not port:
        return name, ""
    is_port = port.isascii() and port.isdigit() and len(port) <= 5
    return name, str(int(port)) if is_port else None


def _normal_escapes(text: str) -> str:
    """Percent only where it must be, in upper case."""
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
