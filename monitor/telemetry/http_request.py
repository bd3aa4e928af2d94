"""Parses the head of an HTTP request: the requested path, or the reason for a refusal. Pure.

It reads only the parts that this server needs: a method, a path, and the host name that the client
used. A page in a browser can point its own host name at our address (DNS rebinding), and would then
read metrics as its own; but the browser cannot hide that name. So a `Host` must be one of our
names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

HEAD_BYTES_MAX: Final = 16 * 1024
"""Chosen: browsers send some 2 KiB; a longer head is refused."""
HEADERS_MAX: Final = 100
LOOPBACK_NAME: Final = "localhost"

_REQUEST: Final = re.compile(rb"([!-~]{1,64}) ([!-~]+) HTTP/1\.[01]")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(:[0-9]{1,5})?\Z")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """The requested path, without its query."""

    path: str
    is_head: bool


@dataclass(frozen=True, slots=True)
class OwnNames:
    """The accepted names of the server, in addition to those of loopback.

    `address` is the address that it listens on; an unspecified one (`0.0.0.0`) means every address.
    """

    address: str
    names: frozenset[str] = frozenset()

    def has(self, authority: str) -> bool:
        """True if a `Host` header names this server."""
        match = _AUTHORITY.match(authority)
        if match is None:
            return False
        host = match[1].strip("[]").lower().removesuffix(".")
        if host == LOOPBACK_NAME or host in self.names:
            return True
        try:
            asked = ip_address(host)
        except ValueError:
            return False
        # A page cannot let an address point elsewhere: only names can be rebound.
        return asked.is_loopback or _is_here(self.address, host)


def own_names(address: str, host: str, names: Iterable[str]) -> OwnNames:
    """The names of a server on `address`, which the settings call `host` and `names`.

    Raises
    ------
    ValueError
        One of `names` is not a host name; it is the error's argument.
    """
    known = [host.lower(), *(name.strip().lower() for name in names if name.strip())]
    for name in known[1:]:
        if _NAME.match(name) is None:
            raise ValueError(name)
    return OwnNames(address, frozenset(known))


def parse_request(head: bytes, own: OwnNames) -> Request | HTTPStatus:
    """The request in the head, or the status that refuses it.

    `head` ends before the empty line.
    """
    first, *rest = head.split(b"\n")
    match = _REQUEST.fullmatch(first.removesuffix(b"\r"))
    if match is None:
        return HTTPStatus.BAD_REQUEST
    if len(rest) > HEADERS_MAX:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    hosts = [value for line in rest if (value := _host(line)) is not None]
    if len(hosts) > 1:
        return HTTPStatus.BAD_REQUEST
    # Without the header it is not a browser: those have to send it.
    if hosts and not own.has(hosts[0]):
        return HTTPStatus.MISDIRECTED_REQUEST
    if match[1] not in (b"GET", b"HEAD"):
        return HTTPStatus.METHOD_NOT_ALLOWED
    path = match[2].decode("ascii").split("?", 1)[0]
    return Request(path, is_head=match[1] == b"HEAD")


def _host(line: bytes) -> str | None:
    name, colon, value = line.partition(b":")
    if not colon or name.strip().lower() != b"host":
        return None
    return value.strip().decode("ascii", "replace")


def _is_here(address: str, host: str) -> bool:
    bound = ip_address(address)
    return bound.is_unspecified or bound == ip_address(host)
