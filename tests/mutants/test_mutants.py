"""Every planted fault of the machine is noticed by the tests that judge it.

A mutant that survives is a test that is missing: write it where it belongs, or, where the mutant
means the same as the original, put another in its place and its reason into docs/laws.md.

`make mutants` runs them all. Every other run takes one share of forty, chosen by the commit that
is checked out, so that each comes round; `INTERLOCK_MUTANTS=N` chooses share N, `=all` them all.
Each mutant's text is looked up in every run, so that none is left behind by an edit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from zlib import crc32

import pytest

from tests.mutants.mutant import (
    KILLER,
    ROOT,
    Killers,
    Mutant,
    copy_packages,
    load_mutants,
    plant,
    planted,
)

MUTANTS = load_mutants(Path(__file__).parent)
SHARES_COUNT = 40  # Chosen: one of them takes two minutes of one core.


def chosen_share() -> int | None:
    """The share of this run; None where all are run."""
    asked = os.environ.get("INTERLOCK_MUTANTS")
    if asked == "all":
        return None
    if asked:
        return int(asked) % SHARES_COUNT
    command = ["git", "rev-parse", "HEAD"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return int(told.stdout.strip() or "0", 16) % SHARES_COUNT


SHARE = chosen_share()
CHOSEN = [m for m in MUTANTS if SHARE is None or crc32(m.name.encode()) % SHARES_COUNT == SHARE]


@pytest.fixture(scope="module")
def killers() -> Iterator[Killers]:
    """One process that runs all copies."""
    process = Killers()
    yield process
    process.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without a fault."""
    folder = tmp_path_factory.mktemp("mutants") / "original"
    copy_packages(folder)
    return folder


@pytest.fixture(scope="module")
def passes(killers: Killers, original: Path) -> Callable[[str], str]:
    """What a test has against the original: nothing, or it is not the fault that it notices."""

    @cache
    def ask(test: str) -> str:
        code, output = killers.run(original, "", test)
        return "" if code == 0 else output[-4000:]

    return ask


@pytest.mark.timeout(3_600)  # The killers have a limit of their own, of processor time.
@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(
    mutant: Mutant,
    original: Path,
    killers: Killers,
    passes: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """A test fails that passes without the fault; a copy that cannot be loaded proves nothing."""
    target = tmp_path / "copy"
    shutil.copytree(original, target, symlinks=True)
    plant(mutant, target)
    code, output = killers.run(target, mutant.file, mutant.killed_by)
    killer = (target / KILLER).read_text("utf-8") if code == 1 else ""
    shutil.rmtree(target)
    assert code != 0, f"survived: {mutant.wrong} ({mutant.file})"
    assert code == 1, f"no test failed, the copy could not be tested:\n{output[-4000:]}"
    assert not passes(killer), f"{killer} fails without the fault too:\n{passes(killer)}"


def test_names_are_told_apart() -> None:
    """A survivor is named by its name alone."""
    names = [mutant.name for mutant in MUTANTS]
    assert sorted(set(names)) == sorted(names)


def test_each_can_be_planted() -> None:
    """What a mutant replaces stands in its file, once."""
    for mutant in MUTANTS:
        planted(mutant, (ROOT / mutant.file).read_text("utf-8"))


def test_a_run_takes_its_share(left_out: Callable[[str], None]) -> None:
    """The shares are of one size, more or less, and together they are all."""
    sizes = [0] * SHARES_COUNT
    for mutant in MUTANTS:
        sizes[crc32(mutant.name.encode()) % SHARES_COUNT] += 1
    assert min(sizes) > 0 and max(sizes) < 3 * len(MUTANTS) / SHARES_COUNT
    assert sum(sizes) == len(MUTANTS) >= 200
    if SHARE is not None:
        others = len(MUTANTS) - len(CHOSEN)
        left_out(
            f"{others} of {len(MUTANTS)} planted faults, all but share {SHARE} of {SHARES_COUNT} "
            f"(INTERLOCK_MUTANTS={SHARE}); `make mutants` runs them"
        )
