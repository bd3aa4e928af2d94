"""The private key of an operator: its file, which only its owner can read, and its passphrase."""

from __future__ import annotations

import getpass
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from invariants.model.errors import ConfigError
from monitor.cli.gate_library import require_library

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_BYTES_MAX: Final = 16_384
PASSPHRASE_VARIABLE: Final = "INTERLOCK_KEY_PASSPHRASE"  # noqa: S105  (its name)
OWNERS_MODE: Final = 0o600


def make_key_file(path: str) -> str:
    """Write a new private key, and return the public one.

    Raises
    ------
    ConfigError
        The library is missing, or there is such a file: a key is never written over.
    """
    require_library("cryptography", "signatures need")
    from monitor.exceptions.signing import make_key

    pem, public = make_key(_new_passphrase())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNERS_MODE)
    except FileExistsError:
        raise ConfigError(f"`--key`: `{path}` exists; choose another name") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return public


def read_key_file(path: str) -> Ed25519PrivateKey:
    """The private key in a file.

    Raises
    ------
    ConfigError
        The library is missing, others can read the file, or it has no key.
    """
    require_library("cryptography", "signatures need")
    from monitor.exceptions.signing import KeyFileError, read_key

    with Path(path).open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ConfigError(f"`--key`: others can read `{path}`; run `chmod 600` on it")
        pem = file.read(KEY_BYTES_MAX)
    passphrase = b""
    if b"ENCRYPTED" in pem:
        passphrase = _passphrase("Passphrase of the key: ")
    try:
        return read_key(pem, passphrase)
    except KeyFileError as error:
        raise ConfigError(f"`--key`: `{path}` cannot be used: {error}") from None


def _new_passphrase() -> bytes:
    passphrase = _passphrase("Passphrase for the new key (empty for none): ")
    if passphrase and PASSPHRASE_VARIABLE not in os.environ:
        again = getpass.getpass("The same again: ").encode()
        if again != passphrase:
            raise ConfigError("the two passphrases differ; start again")
    return passphrase


def _passphrase(prompt: str) -> bytes:
    """From the environment, else from the terminal; empty without either."""
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return os.fsencode(given)
    return getpass.getpass(prompt).encode() if sys.stdin.isatty() else b""
