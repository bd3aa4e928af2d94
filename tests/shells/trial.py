"""Many texts, each run by every shell and judged: the tally of a run.

Texts are shared out to processes, since a room belongs to one (`running.py`).
"""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Final

from .forms import Tree, rendered
from .generator import tree_of
from .judge import ORDER, Told, listing, told
from .running import TEXT_SECONDS_MAX, Ran, Room
from .shrinking import names, shrunk

SHELL_NAMES: Final = ("bash", "dash")
CHUNK_TEXTS: Final = 50


@dataclass(frozen=True, slots=True)
class Absent:
    """A text that starts something of which the list says nothing."""

    shell: str
    index: int
    forms: tuple[str, ...]
    text: str
    ran: tuple[str, ...]
    listed: str


@dataclass(slots=True)
class Tally:
    """What a run has seen. Texts are counted once for each shell."""

    texts_count: int = 0
    told: Counter[tuple[str, Told]] = field(default_factory=Counter)
    """By shell: the worst of what a text started; texts that start nothing are not in it."""
    late_count: int = 0
    groups: Counter[tuple[str, Told]] = field(default_factory=Counter)
    """The same by the group of the outermost form, both shells together."""
    absent: list[Absent] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in the tally of other texts."""
        self.texts_count += other.texts_count
        self.told += other.told
        self.late_count += other.late_count
        self.groups += other.groups
        self.absent += other.absent

    def ran_count(self, shell: str) -> int:
        """Texts in which the marker ran."""
        return sum(count for (name, _), count in self.told.items() if name == shell)


def shells() -> dict[str, str]:
    """The shells that are here, by name."""
    found = {name: shutil.which(name) for name in SHELL_NAMES}
    return {name: path for name, path in found.items() if path is not None}


def tallies(seed: int, indices: Sequence[int], processes: int) -> Iterator[Tally]:
    """One tally for each chunk of texts, as they end."""
    chunks = [indices[start : start + CHUNK_TEXTS] for start in range(0, len(indices), CHUNK_TEXTS)]
    with _pool(processes) as pool:
        yield from pool.map(_tally, repeat(seed), chunks)


def runs(shell: str, texts: Sequence[str], seconds_max: float = TEXT_SECONDS_MAX) -> list[Ran]:
    """What each text starts, in one room and in their order."""
    with _pool(1, seconds_max) as pool:
        return list(pool.map(_run, repeat(shell), texts))


@contextmanager
def _pool(processes: int, seconds_max: float = TEXT_SECONDS_MAX) -> Iterator[ProcessPoolExecutor]:
    """Processes with a room each, in a folder that is removed with them."""
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="interlock-shells-") as folder,
        ProcessPoolExecutor(processes, context, _open_room, (folder, seconds_max)) as pool,
    ):
        yield pool


_ROOMS: list[Room] = []
"""The one of this process."""


def _open_room(folder: str, seconds_max: float) -> None:
    _ROOMS.append(Room(Path(tempfile.mkdtemp(dir=folder)) / "room", seconds_max))


def _run(shell: str, text: str) -> Ran:
    return _ROOMS[0].run(shell, text)


def _tally(seed: int, indices: Sequence[int]) -> Tally:
    tally = Tally()
    for index in indices:
        tally.texts_count += 1
        _judge(seed, index, tally)
    return tally


def _judge(seed: int, index: int, tally: Tally) -> None:
    tree = tree_of(seed, index)
    group = "marker" if not hasattr(tree, "form") else tree.form.group
    for name, path in shells().items():
        worst, _ = _worst(path, tree, tally)
        if worst is None:
            continue
        tally.told[name, worst] += 1
        tally.groups[group, worst] += 1
        if worst == "absent":
            tally.absent.append(_absent(name, path, index, tree))


def _worst(path: str, tree: Tree, tally: Tally) -> tuple[Told | None, tuple[str, ...]]:
    """How the worst told of all that a text starts is told, and what it is."""
    text = rendered(tree)
    ran = _ROOMS[0].run(path, text)
    tally.late_count += ran.is_late
    if not ran.marks:
        return None, ()
    listed = listing(text)
    return max(((told(listed, mark), mark) for mark in ran.marks), key=_rank)


def _rank(judged: tuple[Told, tuple[str, ...]]) -> int:
    return ORDER.index(judged[0])


def _absent(shell: str, path: str, index: int, tree: Tree) -> Absent:
    small = shrunk(tree, lambda smaller: _worst(path, smaller, Tally())[0] == "absent")
    text = rendered(small)
    ran = _worst(path, small, Tally())[1]
    return Absent(shell, index, names(small), text, ran, listing(text).describe())
