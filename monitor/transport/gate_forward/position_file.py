"""The durable position of a forwarder: how far each file of a gate's log was acknowledged.

A JSON object in one small file, which is replaced as a whole: a crash leaves the old content or the
new one. A damaged file is refused, since a guess would lose records.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from invariants.model.errors import ConfigError

from ...topics import GATE
from ..base import Stream

VERSION: Final = 1
BYTES_MAX: Final = 4 * 1024 * 1024
"""Chosen: far more than the names of all files that a log directory follows for one owner."""
FILE_MODE: Final = 0o600


class Place(msgspec.Struct, frozen=True):
    """The offset behind the last acknowledged record of a file, and the identity of that file."""

    offset: int
    identity: str | None = None


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    files: dict[str, Place]


class PositionFile:
    """Loads and stores the places of a log's files, by their names."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[Stream, Place]:
        """The places as they were last stored; none before the first time.

        Raises
        ------
        ConfigError
            The file is damaged.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(BYTES_MAX + 1)
        except FileNotFoundError:
            return {}
        try:
            stored = msgspec.json.decode(data, type=_Stored)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._damaged(str(error)) from None
        if stored.v != VERSION or any(place.offset < 0 for place in stored.files.values()):
            raise self._damaged("its version or an offset is not valid")
        return {Stream(GATE, name): place for name, place in stored.files.items()}

    def store(self, places: Mapping[Stream, Place]) -> None:
        """Replace the content. Raises OSError; then the old content stays."""
        files = {stream.partition: place for stream, place in sorted(places.items())}
        temporary = self._path.with_name(f".{self._path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as file:
            file.write(msgspec.json.encode(_Stored(VERSION, files)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def _damaged(self, reason: str) -> ConfigError:
        return ConfigError(
            f"`{self._path}` is damaged ({reason}): restore it, or remove it to send the whole log "
            "again (monitors drop the copies that they remember)"
        )
