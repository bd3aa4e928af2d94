"""The image of the program that settings name, with a copy beside the state.

Reading and checking invariant files is most of the time of a start. The copy is used if it was made
by the same code, with the same limits, from files of the same names and contents: else the files
are read, and it is written anew. It saves time and decides nothing; without it, or if it cannot be
read or written, the files are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

import invariants
from invariants.image.codec import ImageError, decode_image, encode_image
from invariants.image.model import ProgramImage
from invariants.model.errors import ConfigError
from invariants.model.limits import Limits
from monitor.authoring.paths import FILE_BYTES_MAX, paths_of_all
from monitor.evidence_file import write_evidence
from monitor.log import say

IMAGE_FILE: Final = "program.image"
COPY_BYTES_MAX: Final = 1 << 28
"""Chosen: 2,000 times the packs that are on by default. A larger file is not read."""


class _Origin(NamedTuple):
    """A file that was read, and the digest of its content. List files are named by others."""

    path: str
    digest: bytes
    is_list: bool


class _Copy(msgspec.Struct, frozen=True, array_like=True):
    """An image with all that it was made of."""

    code: bytes
    origins: tuple[_Origin, ...]
    image: bytes


def program_image(
    locations: Sequence[Path], limits: Limits, state_dir: Path | None
) -> ProgramImage:
    """The image of the invariants at some paths; without `state_dir` there is no copy.

    Raises
    ------
    SpecError
        With every error of every file.
    ConfigError
        A path names no file.
    """
    if state_dir is None:
        return _read(locations, limits, {})
    path, code = state_dir / IMAGE_FILE, _code_digest()
    image = _known(path, code, locations, limits)
    if image is not None:
        return image
    origins: dict[str, _Origin] = {}
    image = _read(locations, limits, origins)
    _keep(path, _Copy(code, tuple(origins.values()), encode_image(image)))
    return image


def _read(locations: Sequence[Path], limits: Limits, origins: dict[str, _Origin]) -> ProgramImage:
    """The image from the files themselves, which are noted in `origins`."""
    # What checks invariant files is not imported by a start that has a copy.
    from invariants.image.make import image_of
    from monitor.authoring.files import read_specs

    named = {str(one) for one in paths_of_all(locations)}

    def note(file: Path, text: str) -> None:
        origin = _Origin(str(file), _digest_of(text.encode()), str(file) not in named)
        origins.setdefault(origin.path, origin)

    return image_of(read_specs(*locations, note=note), limits)


def _known(
    path: Path, code: bytes, locations: Sequence[Path], limits: Limits
) -> ProgramImage | None:
    """The image of the copy, if it is what the files would give."""
    try:
        if path.stat().st_size > COPY_BYTES_MAX:
            return None
        copy = msgspec.msgpack.decode(path.read_bytes(), type=_Copy)
    except (OSError, msgspec.MsgspecError, RecursionError):  # Or: lists in lists without end.
        return None
    named = [one.path for one in copy.origins if not one.is_list]
    if copy.code != code or named != [str(one) for one in paths_of_all(locations)]:
        return None
    if any(_digest_at(Path(one.path)) != one.digest for one in copy.origins):
        return None
    try:
        image = decode_image(copy.image)
    except ImageError:
        return None
    return image if image.limits == limits else None


def _keep(path: Path, copy: _Copy) -> None:
    try:
        write_evidence(path, msgspec.msgpack.encode(copy))
    except ConfigError as error:
        say("warning", "program_image_not_kept", text=f"{error}; the next start is slower")


def _digest_at(path: Path) -> bytes | None:
    with suppress(OSError, ValueError):  # A name with a NUL is a ValueError.
        content = path.read_bytes()
        return _digest_of(content) if len(content) <= FILE_BYTES_MAX else None
    return None


def _digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _code_digest() -> bytes:
    """A digest of the code that makes images, by the sizes and times of its files."""
    found = hashlib.blake2b(digest_size=16)
    for path in sorted(_code_files()):
        about = path.stat()
        found.update(f"{path}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return found.digest()


def _code_files() -> Iterator[Path]:
    for root in invariants.__path__:
        yield from Path(root).rglob("*.py")
