"""The bytes of a file as documents: one a line, one in all, or the elements of a list.

A part that cannot be read is an `Unread` with its place. A key that is there twice makes a document
unreadable, as on the stream: readers of JSON disagree about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from interlock.limits import nests_too_deep
from monitor.traces.model import Document, Unread

FILE_BYTES_MAX: Final = 512 * 1024 * 1024
"""Chosen: a file is held in memory. Larger ones are to be split by session."""


class _RepeatedKeyError(ValueError):
    pass


def documents(content: bytes) -> Iterator[Document | Unread]:
    """All documents of a file, in its order."""
    whole = parsed(content)
    if isinstance(whole, Fault):
        yield from _lines(content)
    elif isinstance(whole, list):
        for number, element in enumerate(whole, 1):
            yield Document(f"element {number}", element)
    else:
        yield Document("the document", whole)


class Fault(str):
    """The reason why a text is not a document."""


def _lines(content: bytes) -> Iterator[Document | Unread]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        found = parsed(line)
        if isinstance(found, Fault):
            yield Unread(f"line {number}", str(found))
        else:
            yield Document(f"line {number}", found)


def parsed(text: bytes) -> Any:
    """The value of a text; a `Fault` with the reason if it has none."""
    try:
        if nests_too_deep(text):
            return Fault("it nests too deep; the limit is that of an event (docs/events.md)")
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError:
        return Fault("it is not UTF-8; save the file as UTF-8")
    except _RepeatedKeyError:
        return Fault("a key is there twice, and readers of JSON disagree about that")
    except (ValueError, RecursionError):
        return Fault("it is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _RepeatedKeyError
    return made
