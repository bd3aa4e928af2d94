"""Every planted fault of the machine is noticed by the tests that judge it.

A mutant that survives is a test that is missing: write it where it belongs, or, where the mutant
means the same as the original, put another in its place and its reason into docs/laws.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.mutant import ROOT, Killers, Mutant, copy_packages, load_mutants, plant

MUTANTS = load_mutants(Path(__file__).parent)


@pytest.fixture(scope="module")
def killers() -> Iterator[Killers]:
    """One process that runs all copies."""
    process = Killers()
    yield process
    process.close()


def test_the_original_passes(killers: Killers, tmp_path: Path) -> None:
    """Without a fault all killers pass, so that it is the fault that they notice."""
    copy_packages(tmp_path)
    code, output = killers.run(tmp_path, "")
    assert code == 0, output[-4000:]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(mutant: Mutant, killers: Killers, tmp_path: Path) -> None:
    """Some test fails, and does so as a test: a copy that cannot be loaded proves nothing."""
    copy_packages(tmp_path)
    plant(mutant, tmp_path)
    code, output = killers.run(tmp_path, mutant.file)
    assert code != 0, f"survived: {mutant.wrong} ({mutant.file})"
    assert code == 1, f"no test failed, the copy could not be tested:\n{output[-4000:]}"


def test_names_are_told_apart() -> None:
    """A survivor is named by its name alone."""
    names = [mutant.name for mutant in MUTANTS]
    assert sorted(set(names)) == sorted(names)


def test_the_page_counts_them() -> None:
    """docs/laws.md says how many there are."""
    page = (ROOT / "docs" / "laws.md").read_text("utf-8")
    assert f"**{len(MUTANTS)} planted faults**" in page
    assert len(MUTANTS) >= 60
