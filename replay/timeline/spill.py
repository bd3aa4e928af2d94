"""Storage beyond memory: bytes in a temporary file, and states of scopes in it.

Stored content is never changed in place, so it stays readable, and an older snapshot of all scopes
is just an older map of places. The file has no name: it disappears with the process.

States use the engine's own interface for a restart: `take_changes` returns them as bytes, and
`load` reads them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, NamedTuple

import msgspec
from pyrsistent import PMap

from monitor.kernel.scope import EMPTY_LOAD, LoadedScope, ScopeChange

LINKS_MAX: Final = 32
"""Chosen: pieces that one load puts together; then all is laid down in one piece again."""


class SpillPlace(NamedTuple):
    """The place of some bytes."""

    offset: int
    size: int


class Shelf:
    """Bytes in an unnamed temporary file of this process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="interlock-replay-")  # noqa: SIM115 - see `close`
        self._end = 0

    def lay(self, content: bytes) -> SpillPlace:
        """Lay down some bytes for good."""
        place = SpillPlace(self._end, len(content))
        self._file.seek(self._end)
        self._file.write(content)
        self._end += len(content)
        return place

    def read(self, place: SpillPlace) -> bytes:
        """The bytes at a place."""
        self._file.seek(place.offset)
        return self._file.read(place.size)

    @property
    def size_bytes(self) -> int:
        """How much lies here."""
        return self._end

    def close(self) -> None:
        """Let go of the file, which is gone then. Safe to call twice."""
        self._file.close()


class ScopeVersion(NamedTuple):
    """A scope as it was at some input: its newest piece, how many there are, its next wake-up."""

    place: SpillPlace
    links_count: int
    wake_ns: int | None


Scopes = PMap[str, ScopeVersion]
"""All scopes at some input. An old map stays good."""


class _Piece(msgspec.Struct, frozen=True, array_like=True):
    """The changes of a scope; the rest is in earlier pieces."""

    header: bytes
    states: dict[str, bytes]
    seen: list[tuple[bytes, bytes]]
    before: tuple[int, int] | None


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Piece)


def keep(
    shelf: Shelf,
    scopes: Scopes,
    changes: Iterable[ScopeChange],
    dropped: Iterable[str],
    ids_max: int,
) -> Scopes:
    """The scopes with the engine's reported changes; `ids_max` as in the engine's settings."""
    for scope in dropped:
        scopes = scopes.discard(scope)
    written = {c.scope: _lay(shelf, scopes.get(c.scope), c, ids_max) for c in changes}
    return scopes.update(written) if written else scopes


def _lay(
    shelf: Shelf, known: ScopeVersion | None, change: ScopeChange, ids_max: int
) -> ScopeVersion:
    states, seen = dict(change.states), list(change.seen)
    before: tuple[int, int] | None = None
    links_count = 1
    if known is not None and known.links_count < LINKS_MAX:
        before, links_count = (known.place.offset, known.place.size), known.links_count + 1
    elif known is not None:
        whole = _put_together(shelf, known, ids_max)
        states = {**whole.states, **states}
        seen = [*whole.seen.items(), *seen]
    piece = _Piece(change.header, states, seen, before)
    return ScopeVersion(shelf.lay(_encoder.encode(piece)), links_count, change.wake_ns)


def loader(
    shelf: Shelf, scopes: Callable[[], Scopes], ids_max: int
) -> Callable[[str], LoadedScope]:
    """How an engine gets at scopes that it has not in memory."""

    def load(scope: str) -> LoadedScope:
        known = scopes().get(scope)
        return EMPTY_LOAD if known is None else _put_together(shelf, known, ids_max)

    return load


def _put_together(shelf: Shelf, known: ScopeVersion, ids_max: int) -> LoadedScope:
    """All pieces as one; of the ids the newest, since the engine has forgotten the others."""
    pieces: list[_Piece] = []
    place: tuple[int, int] | None = known.place
    while place is not None:
        piece = _decoder.decode(shelf.read(SpillPlace(*place)))
        pieces.append(piece)
        place = piece.before
    states: dict[str, bytes] = {}
    seen: dict[bytes, bytes] = {}
    for piece in reversed(pieces):
        states.update(piece.states)
        for id_digest, content in piece.seen:
            seen.pop(id_digest, None)
            seen[id_digest] = content
    newest = dict(islice(seen.items(), max(0, len(seen) - ids_max), None))
    return LoadedScope(pieces[0].header, states, newest)
