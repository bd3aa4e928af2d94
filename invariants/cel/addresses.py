"""`host(url)` and `domain(address)`: whom a URL or an e-mail address leads to.

Text is written by attackers and read by many clients that disagree about odd input. Whatever two
common readers could take for two hosts is therefore an error and never a guess: text outside
printable ASCII, a second `@`, percent signs, empty labels, addresses in unusual number forms.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

from ..values.unknown_text import UnknownText
from ..values.value import Failure, text

_SCHEME_FIRST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SCHEME_REST: Final = _SCHEME_FIRST | frozenset("0123456789+-.")
_LABEL: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_HEXADECIMAL: Final = frozenset("0123456789abcdef")

# Source: RFC 5322 atext and the dot, without `%` and `!`: old relays read those as routes.
_LOCAL_PART: Final = _SCHEME_FIRST | frozenset("0123456789#$&'*+-/=?^_`{|}~.")


# What nearly every URL looks like, with a letter first in the last label; group 1 is the host.
# Possessive, so that it is linear in the text. Whatever it does not match, `_host` decides.
_COMMON_URL: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*+://((?>(?:[A-Za-z0-9_-]++\.)*)[A-Za-z][A-Za-z0-9_-]*+)"
    r"(?::[0-9]*+)?(?:[/?#][!-\[\]-~]*+)?"
)


def host(url: Any) -> str:
    """The host of `scheme://...`: lower case, without userinfo, port and final dot.

    IPv6 stays in its brackets, in its short form; `[::ffff:192.0.2.1]` is the IPv4 address in it.
    Fails on text that is not such a URL, on an empty host, and on non-ASCII, backslash, space or
    control characters anywhere in it.
    """
    if type(url) is UnknownText:
        return _known_host(url)
    written = text(url, "host")
    common = _COMMON_URL.fullmatch(written)
    return common[1].lower() if common else _host(written)


def _known_host(url: UnknownText) -> str:
    """The host of a URL whose beginning is known: a path, query or fragment begins before a gap."""
    hosts: set[str] = set()
    for reading in url.readings:
        start = reading[0] if reading and isinstance(reading[0], str) else ""
        _, mark, rest = start.partition("://")
        if not mark or not set("/?#") & set(rest):
            raise Failure(url.reason)
        hosts.add(host(start))
    if len(hosts) != 1:
        raise Failure(url.reason)
    return hosts.pop()


def _host(written: str) -> str:
    if not (written.isascii() and written.isprintable()) or " " in written or "\\" in written:
        raise Failure("`host` of a URL with a character that no URL holds")
    scheme, mark, rest = written.partition("://")
    if not mark or not scheme or scheme[0] not in _SCHEME_FIRST:
        raise Failure("`host` needs a URL of the form scheme://...")
    if not _SCHEME_REST.issuperset(scheme):
        raise Failure("`host` needs a URL of the form scheme://...")
    authority = _before_any(rest, "/?#")
    if "@" in authority:
        authority = authority.partition("@")[2]
        if "@" in authority:
            raise Failure("`host` of a URL with more than one `@` before its path")
    if authority.startswith("["):
        return _ipv6(authority)
    return _name(_without_port(authority), "host")


def _before_any(rest: str, ends: str) -> str:
    for end in ends:
        rest = rest.partition(end)[0]
    return rest


def _without_port(authority: str) -> str:
    name, _, port = authority.partition(":")
    if port and not port.isdigit():
        raise Failure("`host` of a URL whose port is not a number")
    return name


def _ipv6(authority: str) -> str:
    inner, bracket, port = authority[1:].partition("]")
    is_port = not port or (port[0] == ":" and (len(port) == 1 or port[1:].isdigit()))
    try:
        address = ipaddress.IPv6Address(inner)
    except ValueError:
        raise Failure("`host` of a URL with a faulty IPv6 address") from None
    if not bracket or not is_port or address.scope_id is not None:
        raise Failure("`host` of a URL with a faulty IPv6 address")
    mapped = address.ipv4_mapped
    if mapped is None:
        return f"[{address.compressed}]"
    # A socket that connects to it connects to the IPv4 address, as `urls` says.
    return str(mapped)


def _name(written: str, function: str) -> str:
    """A host name in lower case without its final dot; each label must be a plain one."""
    name = written.lower().removesuffix(".")
    labels = name.split(".")
    if not all(label and _LABEL.issuperset(label) for label in labels):
        raise Failure(f"`{function}` of an address whose host is empty or no plain name")
    last = labels[-1]
    is_number = last.isdigit() or (last[:2] == "0x" and _HEXADECIMAL.issuperset(last[2:]))
    if is_number and not _is_dotted_quad(labels):
        raise Failure(f"`{function}` of an IPv4 address in an unusual form")
    return name


def _is_dotted_quad(labels: list[str]) -> bool:
    """True for `192.0.2.1` in the usual notation: no octal, no short form."""
    try:
        ipaddress.IPv4Address(".".join(labels))
    except ValueError:
        return False
    return True


def domain(address: Any) -> str:
    """The part after `@` of one plain e-mail address, in lower case without its final dot.

    Fails on display names, quoted local parts, lists of addresses, address literals in brackets
    and non-ASCII text.
    """
    written = text(address, "domain")
    local, mark, name = written.partition("@")
    if not mark or not local or not _LOCAL_PART.issuperset(local):
        raise Failure("`domain` needs one plain address of the form name@domain")
    return _name(name, "domain")
