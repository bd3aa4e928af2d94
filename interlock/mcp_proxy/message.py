"""Reads one message of MCP (JSON-RPC 2.0) so that no other reader reads another message.

Input: the bytes of one message. Output: a `Message`, which keeps its bytes, or `Unreadable`.

The bytes are forwarded as they are, to a server that reads them with another library. So a text
that two readers may understand differently is refused: a key twice, a key of JSON-RPC in another
case, both a method and a result, a batch, bytes that are not UTF-8, half of a surrogate pair, a
number that is not finite, and nesting beyond the limit of an event.

Source: JSON-RPC 2.0; the Model Context Protocol, base protocol.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from ..limits import NAME_CHARACTERS_MAX, NESTING_MAX, nests_too_deep

MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Chosen: four times what the SDKs accept; pictures in results are the largest messages."""
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

_KEYS: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})

Id = str | int


class Unreadable(Exception):  # noqa: N818 - it is the message that is wrong
    """A message that is not forwarded. `id` is that of the request, if it can be told."""

    def __init__(self, reason: str, code: int = INVALID_REQUEST, id_: Id | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.id = id_


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is None for a notification, and for an error about no certain request."""

    data: bytes
    kind: Literal["request", "notification", "response"]
    id: Id | None
    method: str
    params: Mapping[str, Any]
    result: object = None
    error: object = None


def read(data: bytes) -> Message:
    """Read one message.

    Raises
    ------
    Unreadable
        Readers could understand it differently, or it is beyond a limit.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise Unreadable(f"the message is longer than {MESSAGE_BYTES_MAX} bytes; send less at once")
    if nests_too_deep(data):
        raise Unreadable(f"the message nests deeper than {NESTING_MAX} levels; send a flatter one")
    content = _parsed(data)
    if isinstance(content, list):
        raise Unreadable("a batch is not accepted; send one message at a time")
    if not isinstance(content, dict):
        raise Unreadable("a message is a JSON object")
    try:
        return _message(data, content)
    except Unreadable as fault:
        raise Unreadable(str(fault), fault.code, _certain_id(content)) from None


def error(id_: Id | None, code: int, text: str) -> bytes:
    """The response to a request that failed."""
    return encode({"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": text}})


def encode(content: Mapping[str, object]) -> bytes:
    """A message of our own: in UTF-8, without line breaks."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def keys_alike(value: object) -> str:
    """A key that stands beside another which differs by case alone, or behind a NUL, at any depth;
    `""` for none.
    """
    for mapping in _objects(value):
        if alike := _first_alike(mapping):
            return alike
    return ""


def has_prototype(value: object) -> bool:
    """True if a key, at any depth, is the one by which JavaScript sets an object's prototype."""
    return any("__proto__" in mapping for mapping in _objects(value))


def imitated(keys: Iterable[str], known: frozenset[str]) -> str:
    """A key that a reader without regard to case takes for one of `known`; `""` for none."""
    return next((key for key in keys if key not in known and folded(key) in known), "")


def folded(name: str) -> str:
    """A name as the laxest of readers takes it: in lower case, to its first NUL, without blanks and
    characters that nobody sees.

    Examples
    --------
    >>> folded("Tools/Call\\0x"), folded(" me\\u200bthod")
    ('tools/call', 'method')
    """
    read = _to_nul(name)
    return "".join(sign for sign in read if sign.isprintable() and sign != " ").casefold()


def _to_nul(name: str) -> str:
    return name.partition("\0")[0]


def _first_alike(mapping: Mapping[str, object]) -> str:
    seen: set[str] = set()
    for key in mapping:
        alike = _to_nul(key).casefold()
        if alike in seen:
            return key
        seen.add(alike)
    return ""


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as mapping:
                yield mapping
                waiting.extend(mapping.values())
            case list() as items:
                waiting.extend(items)


def _parsed(data: bytes) -> object:
    try:
        text = data.decode()
        content = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
        )
        if "\\u" in text:
            # A text with half of a surrogate pair has no UTF-8.
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise Unreadable("the message is not UTF-8", PARSE_ERROR) from None
    except UnicodeEncodeError:
        raise Unreadable("a text contains half of a surrogate pair", PARSE_ERROR) from None
    except _RepeatedError as fault:
        reason = f"the key `{shown_key(str(fault))}` is there twice; send it once"
        raise Unreadable(reason, id_=_lax_id(data)) from None
    except (ValueError, RecursionError):
        raise Unreadable("the message is not valid JSON", PARSE_ERROR) from None
    return content


class _RepeatedError(ValueError):
    """A key is there twice; the text is the key."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedError(key)
            seen.add(key)
    return made


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _message(data: bytes, content: Mapping[str, Any]) -> Message:
    if key := imitated(content, _KEYS):
        raise Unreadable(
            f"the key `{shown_key(key)}` is nearly one of JSON-RPC; write it as it is there"
        )
    if content.get("jsonrpc") != "2.0":
        raise Unreadable('`jsonrpc` is not "2.0"')
    id_ = content.get("id")
    if "id" in content and not _is_id(id_) and not (id_ is None and "error" in content):
        raise Unreadable("`id` is not a printable text or a whole number")
    if "method" in content:
        return _call(data, content, id_)
    if ("result" in content) == ("error" in content) or "id" not in content:
        raise Unreadable("the message has neither a method nor exactly one of result and error")
    return Message(data, "response", id_, "", {}, content.get("result"), content.get("error"))


def _call(data: bytes, content: Mapping[str, Any], id_: Id | None) -> Message:
    method, params = content["method"], content.get("params")
    if not isinstance(method, str) or "result" in content or "error" in content:
        raise Unreadable("a message with a method has text there, and neither result nor error")
    if not isinstance(params, dict | None):
        raise Unreadable("`params` is not an object", INVALID_PARAMS)
    kind: Literal["request", "notification"] = "request" if "id" in content else "notification"
    return Message(data, kind, id_, method, params or {})


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= NAME_CHARACTERS_MAX and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 64


def _certain_id(content: Mapping[str, object]) -> Id | None:
    id_ = content.get("id")
    return id_ if isinstance(id_, str | int) and _is_id(id_) else None


def _lax_id(data: bytes) -> Id | None:
    """The id of a message with a key twice, if that key is another one."""
    try:
        pairs = json.loads(data, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    ids = [value for key, value in pairs if key == "id"] if isinstance(pairs, tuple) else []
    return _certain_id({"id": ids[0]}) if len(ids) == 1 else None


def shown_key(key: str) -> str:
    """A key of an agent as it may stand in a message."""
    return "".join(sign if sign.isprintable() else "?" for sign in key[:40])
