"""Was what ran told? What `shell_commands` lists, against the marker's own record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from invariants.shell.commands import shell_commands
from invariants.values.value import Failure
from tests.support.shell_text import may_be

Told = Literal["known", "partly", "unknown", "absent"]
ORDER: tuple[Told, ...] = ("known", "partly", "unknown", "absent")
"""From the best to the worst."""


_HOME = re.compile(r"/[^ ]*interlock-shells-[^/ ]+/[^/ ]+/room")
"""The folder of `running.Room`, as `trial.py` opens one."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What `shell_commands` says of a text: commands, or why it cannot be read."""

    commands: tuple[tuple[Any, ...], ...]
    failure: str = ""

    def describe(self) -> str:
        """For a reader: at most six commands."""
        if self.failure:
            return self.failure
        return repr([list(words) for words in self.commands[:6]])


def listing(text: str) -> Listing:
    """What `shell_commands` says; a failure is a value here."""
    try:
        return Listing(tuple(tuple(words) for words in shell_commands(text)))
    except Failure as failure:
        return Listing((), f"Failure: {failure}")


def told(listed: Listing, ran: Sequence[str]) -> Told:
    """How well one run of the marker, its program and words, is told."""
    if listed.failure:
        return "unknown"
    # The list has `~` for a home, as it was written.
    homely = [_HOME.sub("~", word) for word in ran]
    parts = ran[0].split("/")
    programs = {homely[0], *("/".join(parts[index:]) for index in range(len(parts)))}
    best: Told = "absent"
    for words in listed.commands:
        for program in programs:
            match = min(
                (_match(words, (program, *rest)) for rest in (ran[1:], homely[1:])),
                key=ORDER.index,
            )
            best = min(best, match, key=ORDER.index)
    return best


def _match(words: Sequence[Any], ran: Sequence[str]) -> Told:
    """Could these words be what ran?"""
    if all(type(word) is str and not _is_star(word) for word in words):
        name = words[0].rpartition("/")[2] if words else ""
        is_same = [_unfolded(word) for word in words[1:]] == list(ran[1:]) and ran[0] in (
            words[0],
            name,
        )
        return "known" if is_same else "absent"
    if not _may_be(words, ran):
        return "absent"
    is_wholly_unknown = getattr(words[0], "is_many", False)
    return "unknown" if is_wholly_unknown else "partly"


def _may_be(words: Sequence[Any], ran: Sequence[str]) -> bool:
    """Each word as it ran, where one that may be many stands for any number of them."""
    # ends[j]: can the words so far be the first j that ran?
    ends = [True, *(False for _ in ran)]
    for index, word in enumerate(words):
        if _is_star(word):
            ends = _after_star(ends, word, ran)
            continue
        if getattr(word, "is_many", False):
            ends = [any(ends[: stop + 1]) for stop in range(len(ends))]
            continue
        ends = [False] + [
            ends[stop] and _is_word(word, text, is_program=index == 0)
            for stop, text in enumerate(ran)
        ]
    return ends[-1]


def _is_word(word: Any, text: str, is_program: bool) -> bool:
    if isinstance(word, str):
        return text in (word, word.rpartition("/")[2]) if is_program else _unfolded(word) == text
    return may_be(word, text) or (text[:1] == "~" and may_be(word, f"./{text}"))


def _unfolded(word: str) -> str:
    """The list has `./~` for a file of that name."""
    return word[2:] if word.startswith("./~") else word


def _is_star(word: Any) -> bool:
    """Is this all that a folder holds? The list has such a word as it was written."""
    return isinstance(word, str) and word.rpartition("/")[2] == "*"


def _after_star(ends: list[bool], word: str, ran: Sequence[str]) -> list[bool]:
    made = list(ends)
    for stop, text in enumerate(ran):
        if made[stop] and fnmatchcase(text, word):
            made[stop + 1] = True
    return made
