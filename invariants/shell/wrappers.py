"""Programs whose purpose is to start another one, and the place of that one in their words.

Options of these programs are known by name. If one is unknown, or the program has too many, every
rest of its words counts as a command: too many commands cause an alarm, too few an evasion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..values.tables import table
from .term import Term

ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """The options of one program: letters and long names, those that take a value apart."""

    valued: str = ""
    flags: str = ""
    long_valued: frozenset[str] = frozenset()
    long_flags: frozenset[str] = frozenset()
    operands: int = 0
    assigns: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(f"--{name}" for name in text.split())


# Source: the manual pages of coreutils 9, util-linux 2.39, findutils 4.9, sudo 1.9, OpenDoas 6.8.
WRAPPERS: Final[dict[str, Wrapper]] = {
    "builtin": Wrapper(),
    "busybox": Wrapper(),
    "chroot": Wrapper("", "", _names("userspec groups"), _names("skip-chdir"), operands=1),
    "command": Wrapper("", "p"),
    "doas": Wrapper("Cu", "nsL"),
    "env": Wrapper(
        "uC",
        "i0v",
        _names("unset chdir"),
        _names(
            "ignore-environment null debug default-signal ignore-signal block-signal"
            " list-signal-handling"
        ),
        assigns=True,
    ),
    "exec": Wrapper("a", "cl"),
    "ionice": Wrapper("cn", "t", _names("class classdata"), _names("ignore")),
    "nice": Wrapper("n", "0123456789", _names("adjustment")),
    "nohup": Wrapper(),
    "setsid": Wrapper("", "cfw", frozenset(), _names("ctty fork wait")),
    "stdbuf": Wrapper("ioe", "", _names("input output error")),
    "sudo": Wrapper(
        "CDghpRrTtUu",
        "ABbEeHiKklNnPSsVv",
        _names(
            "close-from chdir group host prompt chroot role type command-timeout other-user user"
        ),
        _names(
            "askpass background bell edit set-home login remove-timestamp reset-timestamp list"
            " non-interactive preserve-groups stdin shell validate preserve-env"
        ),
        assigns=True,
    ),
    "time": Wrapper("fo", "apqv", _names("format output"), _names("append portability verbose")),
    "timeout": Wrapper(
        "sk",
        "fpv",
        _names("signal kill-after"),
        _names("foreground preserve-status verbose"),
        operands=1,
    ),
    "toybox": Wrapper(),
    "xargs": Wrapper(
        "adEILnPs",
        "0eiloprtx",
        _names("arg-file delimiter max-args max-chars max-procs process-slot-var"),
        _names(
            "null no-run-if-empty verbose interactive exit open-tty eof replace show-limits"
            " max-lines"
        ),
    ),
}

# Chosen: programs known to start a command from somewhere among their words.
RUNNERS: Final = table(
    "bwrap chrt dbus-run-session docker fakeroot faketime firejail flock kubectl ltrace "
    "mosh nerdctl nsenter oc parallel podman proot rlwrap runcon runuser script ssh "
    "strace su systemd-run taskset unshare watch winpty setpriv prlimit choom setarch "
    "linux64 linux32 i386 x86_64 capsh logsave ssh-agent gpg-agent start-stop-daemon "
    "runit chpst softlimit daemonize dtach screen tmux cgexec numactl valgrind gdb perf "
    "entr pkexec sg newgrp unbuffer expect ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 "
    "ld.so xvfb-run npx uv uvx poetry pipenv"
)
# What these get is joined and read by a shell once more.
JOINERS: Final = frozenset({"mosh", "parallel", "ssh", "watch"})

_ATTACHED: Final = frozenset("eil")
"""Letters of `xargs` whose optional value is in the same word."""


def command_start(words: Sequence[Term], wrapper: Wrapper) -> int | None:
    """The position of the inner command, `len(words)` if there is none; None: unknown."""
    position = 1
    while position < len(words) and words[position].start.startswith("-"):
        word = words[position]
        if word.text is None and not (word.start.startswith("--") and "=" in word.start):
            return None
        if word.text == "--":
            position += 1
            break
        step = _option_step(word.text or word.start, wrapper)
        if step is None:
            return None
        position += step
    if wrapper.assigns:
        while position < len(words) and ASSIGNMENT.match(words[position].start):
            position += 1
    is_hidden = position < len(words) and words[position].is_any
    if is_hidden and not wrapper.operands and len(words) > position + 1:
        return None
    position += wrapper.operands
    return min(position, len(words))


def _option_step(text: str, wrapper: Wrapper) -> int | None:
    """The number of words that an option takes; None for an unknown one."""
    if text.startswith("--"):
        name, equals, _ = text.partition("=")
        # GNU's programs take any beginning of a long name that is one name's alone.
        valued = [known for known in wrapper.long_valued if known.startswith(name)]
        flags = [known for known in wrapper.long_flags if known.startswith(name)]
        if name in wrapper.long_flags or (flags and not valued):
            return 1
        if valued and not flags:
            return 1 if equals else 2
        return None
    for index, letter in enumerate(text[1:], 2):
        if letter in wrapper.valued:
            return 2 if index == len(text) else 1
        if letter not in wrapper.flags:
            return None
        if letter in _ATTACHED and "I" in wrapper.valued:
            return 1
    return 1
