"""Where a gate listens and what it publishes to, as a person writes it. Pure.

unix:PATH                      a Unix socket
http://127.0.0.1:PORT          HTTP on loopback; the port 0 is any free one
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec

from invariants.model.errors import ConfigError

LISTENERS_MAX: Final = 8
SOCKET_MODES: Final = {"owner": 0o600, "group": 0o660, "all": 0o666}
"""The mode of a socket's file, by the setting `gate.socket_access`."""
_FORMS: Final = "expected `unix:PATH` or `http://127.0.0.1:PORT`, with commas between several"
_PATH_BYTES_MAX: Final = 107  # Source: unix(7), `sun_path` with its end.


class UnixAddress(msgspec.Struct, frozen=True):
    """A Unix socket by its path."""

    path: str


class LoopbackAddress(msgspec.Struct, frozen=True):
    """A port of a loopback address."""

    host: str
    port: int


Address = UnixAddress | LoopbackAddress


def parse_addresses(text: str) -> tuple[Address, ...]:
    """All addresses of `gate.listen`.

    Raises
    ------
    ConfigError
        One of them cannot be listened on.

    Examples
    --------
    >>> parse_addresses("unix:/run/interlock/gate.sock,http://127.0.0.1:8181")
    (UnixAddress(path='/run/interlock/gate.sock'), LoopbackAddress(host='127.0.0.1', port=8181))
    """
    addresses = tuple(_parse(part.strip()) for part in text.split(","))
    if len(addresses) > LISTENERS_MAX or len(set(addresses)) < len(addresses):
        raise ConfigError(f"`gate.listen` must name 1 to {LISTENERS_MAX} different addresses")
    return addresses


def _parse(text: str) -> Address:
    path = text.removeprefix("unix:")
    if path != text:
        if not path or "\0" in path or len(path.encode()) > _PATH_BYTES_MAX:
            raise ConfigError(
                f"`gate.listen`: the path of a Unix socket has 1 to {_PATH_BYTES_MAX} bytes"
            )
        return UnixAddress(path)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"`gate.listen` is `{text[:80]!a}`; {_FORMS}") from None
    is_plain = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme != "http" or not host or port is None or not is_plain:
        raise ConfigError(f"`gate.listen` is `{text[:80]!a}`; {_FORMS}")
    if not _is_loopback(host):
        raise ConfigError(
            f"`gate.listen`: `{host[:80]}` is not a loopback address, and tokens would cross a "
            "network in clear; listen on `127.0.0.1`, behind a proxy with TLS if need be"
        )
    return LoopbackAddress("127.0.0.1" if host == "localhost" else host, port)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
