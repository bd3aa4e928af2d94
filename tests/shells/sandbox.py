"""A process whose children can write nowhere but where it says, and reach no network.

By mount and network namespaces, as root or in a user namespace of its own. Linux only.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_MS_RDONLY: Final = 1
_MS_REMOUNT: Final = 32
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_PRIVATE: Final = 1 << 18
_MS_RELATIME: Final = 1 << 21
_ST_RELATIME: Final = 4096
_ST_SAME: Final = 2 | 4 | 8 | 1024 | 2048
"""nosuid, nodev, noexec, noatime, nodiratime: the same numbers in `statvfs` and `mount`."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def enter(writable: Sequence[Path]) -> None:
    """Everything becomes read-only for this process, for ever, but `writable` and `/proc`.

    Raises OSError if this system does not allow it.
    """
    _unshare()
    _mount(None, "/", _MS_REC | _MS_PRIVATE)
    for path in writable:
        _mount(path, path, _MS_BIND)
    stays = {"/proc", *map(str, writable)}
    for target in _mount_points():
        if target not in stays:
            _make_read_only(target)


def _unshare() -> None:
    namespaces = _CLONE_NEWNS | _CLONE_NEWNET
    if _LIBC.unshare(namespaces) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    if _LIBC.unshare(namespaces | _CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "this system lets no process have its own mounts")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _mount_points() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    fields = (line.split()[4] for line in lines)
    return [field.encode().decode("unicode_escape") for field in fields]


def _make_read_only(target: str) -> None:
    """What another mount hides cannot be reached, and needs nothing."""
    try:
        flags = os.statvfs(target).f_flag
    except OSError:
        return
    kept = (flags & _ST_SAME) | (_MS_RELATIME if flags & _ST_RELATIME else 0)
    _mount(None, target, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def _mount(source: Path | None, target: str | Path, flags: int) -> None:
    origin = None if source is None else os.fsencode(source)
    if _LIBC.mount(origin, os.fsencode(target), None, ctypes.c_ulong(flags), None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount: {os.strerror(number)}", str(target))
