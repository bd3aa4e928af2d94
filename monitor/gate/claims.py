"""Which gate has a session: the one that began it, until the session is forgotten.

Two gates must not judge halves of one session: each would lack what the other saw. The first
writes a claim before the session's first event; another gate refuses the session. A claim has no
expiry, because a gate that took over would not know the session's past: if the first gate is gone,
the agent opens another session.

Gates that share a log directory have claims as files, `DIR/interlock.claims/DIGEST`, here. For
gates that publish to Kafka, `topic_claims.py` has them on a topic.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final, Protocol

import msgspec

from invariants.model.errors import ConfigError
from monitor.gate.errors import ConflictError, NotReadyError
from monitor.topics import CLAIMS
from monitor.trace_key import TraceKey
from monitor.transport.logdir.writer import FOLDER_MODE

FOLDER: Final = CLAIMS
_DIGEST_BYTES: Final = 16
_NAME_BYTES_MAX: Final = 100
CLAIMED_TEXT: Final = (
    "another gate began this session and knows its past: ask that gate, or open another session"
)


def make_own_folder(path: Path) -> None:
    """Make a folder that no agent can change, before one makes it under the same name.

    Raises
    ------
    ConfigError
        Another user has it, or every user may write to it.
    OSError
        It cannot be made.
    """
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    found = path.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid in (0, os.geteuid())
    if not is_ours or found.st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"`gate.publish`: other users may replace files in `{path}`; remove it, and let the "
            "gate make it"
        )


def hold_name(directory: Path, name: str) -> int:
    """Be the only process of a gate's name in a log directory, until the descriptor is closed.

    The lock of the state directory does not see a copy of it: two processes would then have one
    name, hence each other's claims, and the sessions of both would be judged in halves.

    Raises
    ------
    ConfigError
        Another process has the name.
    OSError
        The lock cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(directory / FOLDER / f"{name}.lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise ConfigError(
            "`gate.publish`: a gate with a copy of this `state_dir` publishes to the same "
            "directory; stop it, or begin this gate with an empty `state_dir`"
        ) from None
    return descriptor


class Claims(Protocol):
    """The sessions of all gates that publish to one place."""

    @property
    def trouble(self) -> str:
        """Why the gate may answer nothing now; empty while its sessions are its own."""

    @property
    def count(self) -> int:
        """The claims of all gates that are kept in memory."""

    def take(self, key: TraceKey) -> None:
        """Claim a session that is to begin; its own claim, from before a kill, is as good.

        Raises
        ------
        ConflictError
            Another gate has the session.
        NotReadyError
            The claim cannot be written, or not yet.
        """

    def keep(self, key: TraceKey) -> None:
        """Make sure that a session that has begun is still this gate's. Raises as `take`."""

    def release(self, key: TraceKey) -> None:
        """The session is forgotten: any gate may begin it anew."""


class FileClaims:
    """The sessions of all gates that publish to one directory."""

    trouble, count = "", 0

    def __init__(self, directory: Path, name: str) -> None:
        self._folder, self._name = directory / FOLDER, name

    def take(self, key: TraceKey) -> None:
        """Claim a session; its own claim, from before a kill, is as good.

        Raises
        ------
        ConflictError
            Another gate has the session.
        NotReadyError
            The claim cannot be written.
        """
        path = self._path(key)
        try:
            self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            holder = self._written(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise NotReadyError(f"the session cannot be claimed ({reason}); ask again") from None
        if holder != self._name:
            raise ConflictError(CLAIMED_TEXT)

    def keep(self, key: TraceKey) -> None:
        """A claim in a directory stays until the gate itself releases it."""

    def release(self, key: TraceKey) -> None:
        """The session is forgotten: any gate may begin it anew."""
        with suppress(OSError):
            self._path(key).unlink()

    def _written(self, path: Path) -> str:
        """The gate that has the claim, which is this one if nobody had it."""
        own = path.with_name(f"{path.name}.{self._name}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(own, flags, 0o640)
        try:
            os.write(descriptor, self._name.encode())
        finally:
            os.close(descriptor)
        try:
            # A claim appears with its content, or not at all.
            os.link(own, path)
        except FileExistsError:
            pass
        finally:
            own.unlink()
        # Whatever is there, the gate does not wait for it, and follows no link.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _NAME_BYTES_MAX).decode("ascii", "replace")
        finally:
            os.close(descriptor)

    def _path(self, key: TraceKey) -> Path:
        digest = blake2b(msgspec.json.encode(key), digest_size=_DIGEST_BYTES)
        return self._folder / digest.hexdigest()
