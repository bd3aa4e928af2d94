"""The door to listening sockets: opens them safely, and removes a Unix socket at the end.

A socket in a folder that other users may write to could be replaced by theirs, and agents would ask
an attacker. So such a folder is refused, unless it is sticky, as `/tmp` is. A file at the path is
removed only if it is a socket of our own user on which nobody listens.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError

from .address import Address, LoopbackAddress, UnixAddress

BACKLOG: Final = 128
"""Chosen: connections that the kernel keeps until they are accepted."""
_PRIVATE_MASK: Final = 0o777


def open_listener(
    address: Address, mode: int, group: str | None, stack: ExitStack
) -> socket.socket:
    """A socket that listens; `stack` closes it. `mode` and `group` are of a Unix socket's file.

    Raises
    ------
    ConfigError
        The address cannot be listened on; the message says why, and what to do.
    """
    match address:
        case UnixAddress(path):
            return _open_unix(Path(path), mode, group, stack)
        case LoopbackAddress(host, port):
            return _open_loopback(host, port, stack)


def _open_loopback(host: str, port: int, stack: ExitStack) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise ConfigError(
            f"`gate.listen`: port {port} of `{host}` cannot be taken: {error.strerror}; choose "
            "another"
        ) from None
    return _listening(listener)


def _listening(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    listener.listen(BACKLOG)
    return listener


def _open_unix(path: Path, mode: int, group: str | None, stack: ExitStack) -> socket.socket:
    _check_folder(path)
    _remove_stale(path)
    listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    # Until it has its group and mode, nobody may connect.
    before = os.umask(_PRIVATE_MASK)
    try:
        listener.bind(str(path))
    except OSError as error:
        raise ConfigError(f"`gate.listen`: `{path}` cannot be made: {error.strerror}") from None
    finally:
        os.umask(before)
    made = path.lstat()
    stack.callback(_remove_own, path, (made.st_dev, made.st_ino))
    try:
        if group is not None:
            shutil.chown(path, group=group)
        path.chmod(mode)
    except (OSError, LookupError) as error:
        raise ConfigError(
            f"`gate.socket_group`: `{path}` cannot be given to `{group}`: {error}; name a group "
            "that the gate's user is a member of"
        ) from None
    return _listening(listener)


def _check_folder(path: Path) -> None:
    try:
        found = path.parent.stat()
    except OSError as error:
        raise ConfigError(
            f"`gate.listen`: `{path.parent}` cannot be used: {error.strerror}; make the folder"
        ) from None
    is_ours = found.st_uid in (0, os.geteuid())
    is_open = bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) and not (
        found.st_mode & stat.S_ISVTX
    )
    if not is_ours or is_open:
        raise ConfigError(
            f"`gate.listen`: other users may replace files in `{path.parent}`; use a folder of the "
            "gate's own user that only it may write to"
        )


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"`gate.listen`: `{path}` cannot be used: {error.strerror}") from None
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            f"`gate.listen`: `{path}` is there, and is not a socket of this user; remove it, or "
            "choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(1.0)
        try:
            asked.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise ConfigError(f"`gate.listen`: another process listens on `{path}`; stop it first")


def _remove_own(path: Path, identity: tuple[int, int]) -> None:
    """Remove our socket, and no other that has taken its place."""
    with suppress(OSError):
        found = path.lstat()
        if (found.st_dev, found.st_ino) == identity:
            path.unlink()
