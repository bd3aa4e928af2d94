"""Rights of files -> diagnoses: can others read a secret, or replace a file that decides? Pure.

A file that others can write decides in their name: they can give themselves a role, switch an
invariant off, or forge a state. A directory that others can write, without the sticky bit, lets
them replace what is in it.
"""

from __future__ import annotations

import stat
from typing import Final, Literal

import msgspec

from monitor.doctor.diagnosis import Diagnosis, command, ok, trouble, unknown
from monitor.gate_server.address import SOCKET_MODES
from monitor.presentation import visible

FILES = "files.rights"
SOCKET = "gate.socket"
Sort = Literal["secret", "deciding", "state"]
ROOT_UID: Final = 0
EVERYBODY: Final = "every user of this machine"


class FolderFacts(msgspec.Struct, frozen=True):
    """A folder above a file."""

    path: str
    mode: int
    uid: int


class FileFacts(msgspec.Struct, frozen=True):
    """A file or folder that settings name. `error` says why nothing else is known of it.

    `sort`: a secret, a file that decides (settings, invariants, principals), or the state of a
    monitor or a gate. `folders` are all those through which it is reached.
    """

    setting: str
    path: str
    sort: Sort
    error: str = ""
    is_absent: bool = False
    mode: int = 0
    uid: int = 0
    folders: tuple[FolderFacts, ...] = ()


class SocketFacts(msgspec.Struct, frozen=True):
    """The socket of a gate, and the access that the setting wants."""

    path: str
    access: str
    error: str = ""
    is_absent: bool = False
    mode: int = 0
    is_socket: bool = False


def judge_file(facts: FileFacts, own_uid: int) -> list[Diagnosis]:
    """The rights of one file, read by a process of the user `own_uid`."""
    place = f"{facts.setting}: `{visible(facts.path)}`"
    if facts.is_absent:
        if facts.sort == "state":
            return [ok(FILES, place, "it does not exist yet")]
        mend = f"write it, or correct `{facts.setting}`"
        return [trouble(FILES, place, "it does not exist", mend)]
    if facts.error:
        return [unknown(FILES, place, facts.error)]
    found = [*_readable(facts, place), *_writable(facts, place), *_owned(facts, place, own_uid)]
    return found or [ok(FILES, place, f"mode {stat.S_IMODE(facts.mode):03o}, as it should be")]


def judge_socket(facts: SocketFacts) -> Diagnosis:
    """The rights of a gate's socket, against `gate.socket_access`."""
    place = f"socket `{visible(facts.path)}`"
    if facts.error:
        return unknown(SOCKET, place, facts.error)
    if not facts.is_socket:
        mend = "remove the file, and start the gate again"
        return trouble(SOCKET, place, "there is another file at this path", mend)
    mode, wanted = stat.S_IMODE(facts.mode), SOCKET_MODES[facts.access]
    if mode & ~wanted & 0o066:
        text = f"its mode is {mode:03o}: more users can connect than `gate.socket_access: "
        text += f"{facts.access}` permits"
        return trouble(SOCKET, place, text, command("chmod", f"{wanted:o}", facts.path))
    if wanted & ~mode & 0o066:
        text = f"its mode is {mode:03o}: users whom `gate.socket_access: {facts.access}` permits "
        text += "cannot connect"
        return trouble(SOCKET, place, text, command("chmod", f"{wanted:o}", facts.path))
    return ok(SOCKET, place, f"mode {mode:03o}, as `gate.socket_access: {facts.access}`")


def _readable(facts: FileFacts, place: str) -> list[Diagnosis]:
    if facts.sort not in ("secret", "state"):
        return []
    mend = command("chmod", "go-rwx", facts.path)
    if facts.mode & (stat.S_IROTH | stat.S_IXOTH):
        text = f"every user of this machine can read it (mode {stat.S_IMODE(facts.mode):03o})"
        # The files of a state have their own rights, and are looked at, too.
        return [trouble(FILES, place, text, mend, is_required=not stat.S_ISDIR(facts.mode))]
    if facts.mode & stat.S_IRGRP:
        text = f"its group can read it (mode {stat.S_IMODE(facts.mode):03o})"
        return [trouble(FILES, place, text, mend, is_required=False)]
    return []


def _writable(facts: FileFacts, place: str) -> list[Diagnosis]:
    found = []
    if who := _writers(facts.mode):
        text = f"{who} can write to it (mode {stat.S_IMODE(facts.mode):03o})"
        mend = command("chmod", "go-w", facts.path)
        found.append(trouble(FILES, place, text, mend, is_required=who == EVERYBODY))
    for folder in facts.folders:
        who = "" if folder.mode & stat.S_ISVTX else _writers(folder.mode)
        if who:
            text = f"{who} can replace it, by the right to write to `{visible(folder.path)}`"
            mend = command("chmod", "go-w", folder.path)
            found.append(trouble(FILES, place, text, mend, is_required=who == EVERYBODY))
    return found


def _writers(mode: int) -> str:
    """The others who can write; a group may be that of one user alone, and is only a doubt."""
    if mode & stat.S_IWOTH:
        return EVERYBODY
    return "its group" if mode & stat.S_IWGRP else ""


def _owned(facts: FileFacts, place: str, own_uid: int) -> list[Diagnosis]:
    trusted = {own_uid, ROOT_UID}
    owners = {"it": facts.uid}
    owners |= {f"`{visible(folder.path)}`": folder.uid for folder in facts.folders}
    strange = {name: uid for name, uid in owners.items() if uid not in trusted}
    if not strange:
        return []
    listed = ", ".join(f"{name} belongs to the user {uid}" for name, uid in strange.items())
    text = f"{listed}, who can change it; this is the user {own_uid}"
    mend = "give it to the user of the monitor or the gate, or run this as that user"
    # The doctor may run as another user than the monitor.
    return [trouble(FILES, place, text, mend, is_required=False)]
