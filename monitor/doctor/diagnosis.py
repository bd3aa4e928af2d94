"""The results of `interlock doctor`: what a check found, where, and the command that mends it.

A check has one of three outcomes. `unknown` means that it could not find out: this is never shown,
counted or exited with as `ok`. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

Outcome = Literal["ok", "trouble", "unknown"]
T = TypeVar("T")

TEXT_CHARS_MAX: Final = 1_000
"""Chosen: a broker, a gate or an agent may have written a part of it."""


class Diagnosis(msgspec.Struct, frozen=True):
    """The outcome of one check at one place.

    `text` is the reason, and `mend` a command or an instruction; empty if there is nothing to do.
    An optional check does not change the exit code: `is_required` is False.
    """

    check: str
    place: str
    outcome: Outcome
    text: str
    mend: str = ""
    is_required: bool = True


class NotLearnt(msgspec.Struct, frozen=True):
    """A probe's failure: the reason why its facts are not there."""

    reason: str


Learnt: TypeAlias = T | NotLearnt
"""The facts of a probe, or the reason why there are none."""


def ok(check: str, place: str, text: str) -> Diagnosis:
    """A check that found nothing wrong."""
    return Diagnosis(check, place, "ok", text)


def trouble(
    check: str, place: str, text: str, mend: str = "", *, is_required: bool = True
) -> Diagnosis:
    """A check that found something wrong."""
    return Diagnosis(check, place, "trouble", text, mend, is_required)


def unknown(
    check: str, place: str, text: str, mend: str = "", *, is_required: bool = True
) -> Diagnosis:
    """A check that could not find out."""
    return Diagnosis(check, place, "unknown", text, mend, is_required)


def worst(diagnoses: Iterable[Diagnosis]) -> Outcome:
    """The outcome of all required checks together: trouble before unknown, before ok.

    No check at all is `unknown`.

    Examples
    --------
    >>> worst([])
    'unknown'
    """
    found = {one.outcome for one in diagnoses if one.is_required}
    if "trouble" in found:
        return "trouble"
    return "ok" if found == {"ok"} else "unknown"


def command(*words: str) -> str:
    """A command line to copy, with its words quoted; empty if a word cannot be shown as it is.

    A name of a file or topic may have been chosen by an attacker.

    Examples
    --------
    >>> command("chmod", "go-rwx", "a file; rm x")
    "`chmod go-rwx 'a file; rm x'`"
    >>> command("chmod", "go-rwx", "a" + chr(27) + "[2J")
    ''
    """
    if not all(word.isprintable() and "`" not in word for word in words):
        return ""
    return f"`{shlex.join(words)}`"
