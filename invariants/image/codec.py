"""An image as bytes, and back: MessagePack, with its version and a digest of its content."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from .model import ProgramImage

IMAGE_VERSION: Final = 2
"""Raised whenever the same bytes would be read in another way, or the same files written so."""
_DIGEST_BYTES: Final = 16
_ENCODER: Final = msgspec.msgpack.Encoder()


class ImageError(ValueError):
    """Bytes that are not an image of this version."""


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """`content` is the image itself, encoded."""

    version: int
    digest: bytes
    content: msgspec.Raw


def encode_image(image: ProgramImage) -> bytes:
    """The image as bytes; equal images give equal bytes."""
    content = _ENCODER.encode(image)
    return _ENCODER.encode(_Packed(IMAGE_VERSION, _digest_of(content), msgspec.Raw(content)))


def decode_image(data: bytes) -> ProgramImage:
    """The inverse of `encode_image`. Raises ImageError for anything else.

    The digest detects damage. It is not a proof of origin: whoever can write the bytes can write it
    too.
    """
    try:
        packed = msgspec.msgpack.decode(data, type=_Packed)
        if packed.version != IMAGE_VERSION:
            raise ImageError(f"it has version {packed.version}, this program reads {IMAGE_VERSION}")
        content = bytes(packed.content)
        if packed.digest != _digest_of(content):
            raise ImageError("it is damaged: its digest is another one")
        return msgspec.msgpack.decode(content, type=ProgramImage)
    except (msgspec.MsgspecError, RecursionError) as error:  # Or: lists in lists without end.
        raise ImageError(f"it cannot be read: {error}") from error


def _digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
