"""The bytes of a file as documents: one a line or over several, one in all, or the elements of a
list.

A part that cannot be read is an `Unread` with its place. A key that is there twice makes a document
unreadable, as on the stream: readers of JSON disagree about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from interlock.limits import nests_too_deep
from monitor.traces.model import Document, Unread

FILE_BYTES_MAX: Final = 512 * 1024 * 1024
"""Chosen: a file is held in memory. Larger ones are to be split by session."""


_OPENING: Final = b"{"


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
    for number, text in _parts(content.split(b"\n")):
        found = parsed(text)
        if isinstance(found, Fault):
            yield Unread(f"line {number}", str(found))
        else:
            yield Document(f"line {number}", found)


def _parts(lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Texts of a document each, with the number of their first line: single lines, or, if the first
    one only opens an object, all up to the next one that begins at the margin.
    """
    told = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not told or told[0][1].rstrip() != _OPENING:
        yield from told
        return
    begins = [n for n, (_, line) in enumerate(told) if line.startswith(_OPENING)]
    for begin, end in pairwise([*begins, len(told)]):
        yield told[begin][0], b"\n".join(line for _, line in told[begin:end])


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
