"""Secrets: read from files that the operator names, and never shown by accident.

The only text form of a `Secret` is a placeholder: it cannot leak through a log line, an error, a
debugger or the output of a test. Code that needs the bytes requests them explicitly.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError

SECRET_BYTES_MAX: Final = 64 * 1024  # Chosen: far above any key or token, far below a wrong file.
PLACEHOLDER: Final = "[secret]"
FILE_MODE: Final = 0o600


class Secret:
    """Bytes that are never printed."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves; the caller keeps them out of logs and errors."""
        return self._value

    def __repr__(self) -> str:
        return PLACEHOLDER

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not written anywhere")


def read_secret(setting: str, path: str) -> Secret:
    """The content of a secret's file, without white space at its end.

    Raises
    ------
    ConfigError
        The file cannot be read, is empty, or is too large for a secret. The message contains the
        setting and the path, never the content of the file.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a usable path"
        raise ConfigError(f"`{setting}`: `{path}` cannot be read: {reason}") from None
    if len(content) > SECRET_BYTES_MAX:
        raise ConfigError(
            f"`{setting}`: `{path}` has more than {SECRET_BYTES_MAX} bytes; "
            "it should contain only a secret"
        )
    value = content.rstrip()
    if not value:
        raise ConfigError(f"`{setting}`: `{path}` is empty; write the secret into it")
    return Secret(value)


def read_keys(setting: str, path: str) -> list[Secret]:
    """The keys in a file, one a line, in their order. Raises ConfigError as `read_secret` does."""
    lines = read_secret(setting, path).reveal().splitlines()
    return [Secret(line.strip()) for line in lines if line.strip()]


def keep_key(path: Path, new_key: Callable[[], str] = lambda: os.urandom(32).hex()) -> Secret:
    """The key in a file of the state directory, which is created if it is missing.

    The caller holds the directory's lock. The file appears as a whole or not at all: a different
    key after a crash would invalidate every stored fingerprint.

    Raises
    ------
    ConfigError
        The file can be neither read nor created.
    """
    if not path.exists():
        beside = path.with_suffix(".new")
        try:
            beside.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(beside, flags, FILE_MODE)
            with os.fdopen(descriptor, "w") as file:
                file.write(new_key() + "\n")
                file.flush()
                os.fsync(descriptor)
            beside.rename(path)
        except OSError as error:
            raise ConfigError(f"`{path}` cannot be made: {error.strerror}") from None
    return read_secret("digest_key_file", str(path))
