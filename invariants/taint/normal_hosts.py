"""Host names and IP addresses in one normal form, and the hosts that other readers make of them.

    normal_host("B\u00fccher.example.")        xn--bcher-kva.example
    normal_host("0x7f.1")                  127.0.0.1, in doubt
    normal_host("[::ffff:203.0.113.9]")    203.0.113.9

A host is in doubt if readers repair it, or read it in more than one way. Linear in the text.
Source: the URL Standard (WHATWG), host parsing; RFC 3490 and UTS 46 for names outside ASCII.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Final, NamedTuple
from urllib.parse import unquote

_NAME_CHARACTERS_MAX: Final = 253  # Source: RFC 1035, section 2.3.4, without the final dot.
_LABEL_CHARACTERS_MAX: Final = 63
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")
_NUMBER_CHARACTERS_MAX: Final = 64
"""Chosen: digits of one part of an IPv4 address; its value has ten, the others are zeros."""
_OLDER: Final = (("\u00df", "ss"), ("\u03c2", "\u03c3"))
"""Letters that IDNA 2008 keeps and IDNA 2003 (curl and Python still) writes otherwise."""
_CARRIERS: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""IPv6 addresses whose last 32 bits are the IPv4 address that a translator may contact."""


class Host(NamedTuple):
    """The normal form, and the forms that other readers contact.

    It is certain if every reader takes the written text for `name`, or refuses it.
    """

    name: str
    others: tuple[str, ...] = ()
    is_certain: bool = True


def normal_host(written: str) -> Host | None:
    """A name in lower case and ASCII, an IPv4 address as four numbers, or IPv6 in brackets.

    None if no reader takes it for a host.
    """
    if written.startswith("["):
        return _ipv6(written)
    if "%" not in written:
        return _named(written)
    host = _named(unicodedata.normalize("NFKC", unquote(written, errors="replace")))
    return None if host is None else host._replace(is_certain=False)


def _named(written: str) -> Host | None:
    name = normal_name(written)
    if name is None:
        return None
    last = name.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        return _ipv4(name)
    others = () if written.isascii() else _older_names(written, name)
    return Host(name, others, is_certain=not others)


def normal_name(written: str) -> str | None:
    """Labels between dots, in lower case and ASCII (punycode), without the final dot."""
    # Letter by letter: in a word Python makes another letter of a final capital sigma.
    lower = written.lower() if written.isascii() else "".join(map(str.lower, written))
    name = lower.replace("\u3002", ".").removesuffix(".")
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


def _older_names(written: str, name: str) -> tuple[str, ...]:
    older = "".join(map(str.lower, written))
    for letter, instead in _OLDER:
        older = older.replace(letter, instead)
    other = normal_name(older)
    return () if other is None or other == name else (other,)


def _ipv4(name: str) -> Host | None:
    """From one to four numbers, the last of which fills the rest; octal, decimal, hexadecimal."""
    parts = name.split(".")
    if len(parts) > 4 or not all(map(_is_number, parts)):
        return None
    octal = _address_of([_number(part, is_octal=True) for part in parts])
    decimal = _address_of([_number(part, is_octal=False) for part in parts])
    found = list(dict.fromkeys(address for address in (octal, decimal) if address))
    return Host(found[0], tuple(found[1:]), is_certain=name == found[0]) if found else None


def _is_number(part: str) -> bool:
    return len(part) <= _NUMBER_CHARACTERS_MAX and _NUMBER.fullmatch(part) is not None


def _number(part: str, *, is_octal: bool) -> int:
    """Browsers and C libraries read a number with a zero before it as octal, others do not."""
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    is_octal = is_octal and len(part) > 1 and part[0] == "0" and not set(part) & set("89")
    return int(part, 8 if is_octal else 10)


def _address_of(numbers: list[int]) -> str | None:
    *heads, last = numbers
    if any(number > 255 for number in heads) or last >= 256 ** (4 - len(heads)):
        return None
    value = last + sum(number << 8 * (3 - place) for place, number in enumerate(heads))
    return str(ipaddress.IPv4Address(value))


def _ipv6(written: str) -> Host | None:
    inner, zone, _ = written[1:].removesuffix("]").partition("%")
    if not written.endswith("]"):
        return None
    try:
        address = ipaddress.IPv6Address(inner)
    except ValueError:
        return None
    mapped = address.ipv4_mapped
    if mapped is not None:
        # A socket that connects to it connects to the IPv4 address.
        return Host(str(mapped), is_certain=not zone)
    carried = [
        str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        for network in _CARRIERS
        if address in network and int(address) & 0xFFFF_FFFF > 1
    ]
    return Host(f"[{address.compressed}]", tuple(carried), is_certain=not zone)
