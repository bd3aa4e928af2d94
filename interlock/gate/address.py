"""The address of a gate, and the token that identifies the client to it.

A token is a secret: it is kept in `Token`, whose representation does not contain it, and no message
repeats it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import SettingError

TOKEN_VARIABLE: Final = "INTERLOCK_GATE_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE_VARIABLE: Final = "INTERLOCK_GATE_TOKEN_FILE"  # noqa: S105 - the name of a variable
TOKEN_CHARACTERS_MAX: Final = 2048
"""Chosen: a gate reads headers of up to 4 KiB."""
SOCKET_PATH_BYTES_MAX: Final = 107
"""The system's own limit. Source: unix(7)."""

_HTTP: Final = re.compile(r"http://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})/?\Z")
_LOCAL: Final = re.compile(r"(127(\.\d{1,3}){3}|::1|localhost)\Z")
_TOKEN: Final = re.compile(rf"[!-~]{{1,{TOKEN_CHARACTERS_MAX}}}\Z")


@dataclass(frozen=True, slots=True)
class GateAddress:
    """A Unix socket (`path`), or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, or the file that contains it; `""` for none."""

    text: str = field(default="", repr=False)
    path: Path | None = None

    def read(self) -> str:
        """The token now: its file may have been replaced. SettingError if it cannot be read."""
        return self.text if self.path is None else _read_token(self.path)


def parse_gate(text: str, *, is_network_allowed: bool) -> GateAddress:
    """Parse `unix:PATH` or `http://HOST:PORT`.

    Raises
    ------
    SettingError
        It is neither, or a host other than this one without `is_network_allowed`.

    Examples
    --------
    >>> str(parse_gate("http://localhost:8181", is_network_allowed=False))
    'http://127.0.0.1:8181'
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path:
            raise SettingError("`gate`: expected a socket, as in `unix:/run/interlock/gate.sock`")
        path = str(Path(path).absolute())
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
            raise SettingError(
                f"`gate`: the path of a socket has at most {SOCKET_PATH_BYTES_MAX} bytes"
            )
        return GateAddress(path=path)
    match = _HTTP.match(text)
    if match is None:
        raise SettingError("`gate`: expected `unix:PATH` or `http://HOST:PORT`")
    host, port = match[1].strip("[]"), int(match[2])
    if not 1 <= port <= 65_535:
        raise SettingError("`gate`: expected a port from 1 to 65535")
    if _LOCAL.match(host):
        # Not looked up: a name server does not decide which host is this one.
        return GateAddress(host="127.0.0.1" if host == "localhost" else host, port=port)
    if not is_network_allowed:
        raise SettingError(
            f"`gate`: `{host}` is another host, and `http` would send the token and all arguments "
            "there in clear; use a gate on this host, or set `gate_over_network` if the network "
            "between them is encrypted"
        )
    return GateAddress(host=host, port=port)


def find_token(given: str | os.PathLike[str] | None, address: GateAddress) -> Token:
    """The token that was given as text or as a path, else that of the environment.

    Raises
    ------
    SettingError
        It cannot be read or used, or `http` has none: only a Unix socket shows who connects.
    """
    if given is None:
        path = os.environ.get(TOKEN_FILE_VARIABLE, "")
        given = os.environ.get(TOKEN_VARIABLE, "") or (Path(path) if path else "")
    if isinstance(given, os.PathLike):
        token = Token(path=Path(given).absolute())
        token.read()
        return token
    if given:
        return Token(_checked_token(given, "`token`"))
    if address.path:
        return Token()
    raise SettingError(
        f"`token`: `http` needs one, as text, as a path, in `{TOKEN_VARIABLE}` or in the file of "
        f"`{TOKEN_FILE_VARIABLE}`"
    )


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(TOKEN_CHARACTERS_MAX + 2).decode("ascii", "replace")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingError(f"`token`: its file cannot be read: {reason}") from None
    return _checked_token(text.strip(), "`token`: the first line of its file")


def _checked_token(text: object, what: str) -> str:
    if isinstance(text, str) and _TOKEN.match(text):
        return text
    raise SettingError(f"{what} is not 1 to {TOKEN_CHARACTERS_MAX} visible ASCII characters")
