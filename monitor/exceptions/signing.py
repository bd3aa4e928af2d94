"""Keys and signatures of exceptions: Ed25519, of the library `cryptography`.

    make_key(passphrase) -> (private PEM, public)     a new pair
    sign(private, text) -> signature                  in base64
    fits(public, signed)                              true if the key's holder signed the text

The signed bytes begin with a label, so that a signature made for something else never fits here.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.exceptions.statement import SignedStatement

_LABEL: Final = b"interlock exception 1\n"
PUBLIC_PREFIX: Final = "ed25519:"


class KeyFileError(ValueError):
    """A private key cannot be read; the message says why, and shows nothing of it."""


def make_key(passphrase: bytes) -> tuple[bytes, str]:
    """A private key as PEM, encrypted unless the passphrase is empty, and its public one as a file
    of principals has it.
    """
    key = Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return pem, PUBLIC_PREFIX + b64encode(key.public_key().public_bytes_raw()).decode()


def read_key(pem: bytes, passphrase: bytes) -> Ed25519PrivateKey:
    """The private key in a PEM text.

    Raises
    ------
    KeyFileError
        It is not a key, not of Ed25519, or its passphrase is missing or wrong.
    """
    try:
        key = serialization.load_pem_private_key(pem, passphrase or None)
    except TypeError:
        raise KeyFileError(
            "its passphrase is missing, or it has none; give it as it was made"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError("it is not a private key as PEM, or the passphrase is wrong") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError("it is not of Ed25519; `interlock exceptions keygen` makes one")
    return key


def sign(key: Ed25519PrivateKey, text: str) -> SignedStatement:
    """A statement with the signature of its issuer."""
    return SignedStatement(text, b64encode(key.sign(_LABEL + text.encode())).decode())


def fits(public: bytes, signed: SignedStatement) -> bool:
    """True if the holder of the private key signed exactly this text."""
    try:
        signature = b64decode(signed.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(
            signature, _LABEL + signed.statement.encode()
        )
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True
