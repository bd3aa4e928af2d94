"""The headers of HTTP that pass the proxy, and those of a call that repeat its body. Pure.

Names are compared in lower case. Values of headers are secrets: no message repeats one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Final

from .message import Message, Unreadable
from .tool_call import CALL_METHOD

SESSION_HEADER: Final = "mcp-session-id"
_ARGUMENT_PREFIX: Final = "mcp-param-"
_OWN: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection, and those that the proxy writes itself."""
_ANSWERED: Final = frozenset(
    {SESSION_HEADER, "mcp-protocol-version", "www-authenticate", "retry-after", "allow"}
)
_JSON: Final = re.compile(r"application/json *(; *charset=\"?utf-8\"? *)?\Z", re.IGNORECASE)
_BASE64: Final = re.compile(r"=\?base64\?(.*)\?=\Z")
_LOOPBACK: Final = re.compile(
    r"(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::(\d{1,5}))?\Z", re.IGNORECASE
)

Headers = Sequence[tuple[str, str]]


def why_foreign(headers: Headers, port: int) -> str:
    """Why a request does not come from a client of this machine that meant this proxy; `""` else.

    A page in a browser can reach a loopback port, by a name of its own that leads there (DNS
    rebinding). It cannot leave out `Origin`, nor change `Host`.
    """
    if any(name == "origin" for name, _ in headers):
        return "it comes from a page in a browser"
    hosts = [value for name, value in headers if name == "host"]
    if len(hosts) != 1 or not _is_here(hosts[0], port):
        return "`Host` is not a loopback address with the port of this proxy"
    return ""


def is_json(headers: Headers) -> bool:
    """True if the body is JSON in UTF-8, not compressed: else a server may read another text."""
    types = [value for name, value in headers if name == "content-type"]
    is_plain = not any(name == "content-encoding" for name, _ in headers)
    return is_plain and len(types) == 1 and _JSON.match(types[0].strip()) is not None


def forwarded(headers: Headers) -> list[tuple[str, str]]:
    """The headers of a request that go to the server, credentials included."""
    named = {part.strip().lower() for name, value in headers if name == "connection"
             for part in value.split(",")}  # fmt: skip
    return [(name, value) for name, value in headers if name not in named and _is_passed(name)]


def answered(headers: Headers) -> list[tuple[str, str]]:
    """The headers of a response that go to the client."""
    return [(name, value) for name, value in headers if name in _ANSWERED]


def check_repeats(headers: Headers, message: Message) -> None:
    """Headers that repeat parts of the message state the same: a server may read either.

    A header of an argument must have the value of one of them. That it is the right one is left to
    the server, which knows the schema, and must check it.

    Raises
    ------
    Unreadable
        One of them does not.
    """
    stated = {"mcp-method": message.method}
    if isinstance(name := message.params.get("name", message.params.get("uri")), str):
        stated["mcp-name"] = name
    for header, value in stated.items():
        given = [_decoded(text) for name, text in headers if name == header]
        if any(text != value for text in given) or len(given) > 1:
            raise Unreadable(f"the header `{header}` differs from the message", id_=message.id)
    values: set[str] | None = None
    for header, text in headers:
        if header.startswith(_ARGUMENT_PREFIX):
            values = _scalars(message) if values is None else values
            if message.method != CALL_METHOD or _decoded(text) not in values:
                raise Unreadable("a header of an argument has another value", id_=message.id)


def repeats_arguments(headers: Headers) -> bool:
    """True if headers repeat arguments, so that these cannot be replaced."""
    return any(name.startswith(_ARGUMENT_PREFIX) for name, _ in headers)


def _is_passed(name: str) -> bool:
    """False also for `mcp_name`: many servers take it for `mcp-name`, which was compared."""
    meant = name.replace("_", "-")
    return meant not in _OWN and (meant == name or not meant.startswith("mcp-"))


def _is_here(host: str, port: int) -> bool:
    match = _LOOPBACK.match(host)
    return match is not None and int(match[1] or 80) == port


def _decoded(text: str) -> str | None:
    match = _BASE64.match(text)
    if match is None:
        return text
    try:
        return base64.b64decode(match[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _scalars(message: Message) -> set[str]:
    """The values of arguments, at any depth of objects, as headers write them."""
    found: set[str] = set()
    waiting: list[object] = [message.params.get("arguments")]
    while waiting:
        match waiting.pop():
            case Mapping() as mapping:
                waiting.extend(mapping.values())
            case bool() as value:
                found.add("true" if value else "false")
            case str() | int() | float() as value:
                found.add(str(value))
    return found
