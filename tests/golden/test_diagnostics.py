"""What is said of faulty invariant files, word for word, beside the files themselves.

`INTERLOCK_UPDATE_GOLDEN=1 pytest tests/golden` writes the expected texts anew; read the
difference as you would read code.
"""

import os
import re
from pathlib import Path

import pytest

from invariants.check.specs import RefusedNames, check_specs, read_specs
from invariants.model.errors import Fault, SpecError
from invariants.spec.load import load_spec
from monitor.authoring.field_faults import field_faults
from monitor.authoring.kind_faults import kind_faults

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
GOOD = sorted((HERE / "good").glob("*.yaml"))
PROJECT = HERE.parents[1]
ROOMS = ("invariants", "detectors", "monitor", "replay", "interlock")
IS_UPDATE = os.environ.get("INTERLOCK_UPDATE_GOLDEN") == "1"


def read_golden(path: Path) -> str:
    """The text of a file beside this one."""
    # Line ends stay as they are: some files are about them.
    return path.read_bytes().decode("utf-8")


def _faults(path: Path) -> tuple[Fault, ...]:
    try:
        specs, warnings = read_specs([(path.name, read_golden(path))])
    except SpecError as error:
        return error.faults
    return (*warnings, *kind_faults(specs), *field_faults(specs))


def _hold_against_golden(path: Path, faults: tuple[Fault, ...]) -> None:
    told = "".join(f"{fault}\n" for fault in faults)
    golden = path.with_suffix(".txt")
    if IS_UPDATE:
        golden.write_text(told, encoding="utf-8")
    mend = (
        "if the change is meant: INTERLOCK_UPDATE_GOLDEN=1 pytest tests/golden, then read the diff"
    )
    assert told == golden.read_text(encoding="utf-8"), mend


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_file(path: Path) -> None:
    """Every fault is told in one line, with its place, its reason and how to mend it."""
    faults = _faults(path)
    assert any(fault.severity == "error" for fault in faults)
    lines_count = read_golden(path).count("\n") + 1
    for fault in faults:
        assert 1 <= fault.place.line <= lines_count
        assert fault.mend
        assert len(str(fault).splitlines()) == 1
    _hold_against_golden(path, faults)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_file(path: Path) -> None:
    """A good file is loaded whole, and its warnings are as expected."""
    faults = _faults(path)
    assert all(fault.severity == "warning" for fault in faults)
    spec, load_faults = load_spec(read_golden(path), path.name)
    assert spec is not None
    assert [*load_faults, *check_specs([(spec, RefusedNames())]).faults] == list(faults)
    _hold_against_golden(path, faults)


def test_every_text_has_its_file() -> None:
    """No expected text is left over from a file that is gone, and bad files outnumber good."""
    texts = {path.with_suffix(".yaml") for path in HERE.glob("*/*.txt")}
    assert texts == {*BAD, *GOOD}
    assert len(BAD) > 10 * len(GOOD) > 0


def _codes_of_program() -> set[str]:
    """Every code that stands in the program as a literal, which is how all of them are given."""
    sources = (
        path.read_text("utf-8") for room in ROOMS for path in PROJECT.glob(f"{room}/**/*.py")
    )
    return {code for text in sources for code in re.findall(r"""["']([EW]\d{3})["']""", text)}


def _codes_of_golden() -> set[str]:
    texts = (path.read_text("utf-8") for path in HERE.glob("*/*.txt"))
    return {code for text in texts for code in re.findall(r":\d+:\d+: ([EW]\d{3}): ", text)}


def test_every_code_has_a_golden_file() -> None:
    """Whatever can be said of a file is said of one here; nothing is said that has no code."""
    assert len(_codes_of_program()) > 50, "the codes were not found"
    assert sorted(_codes_of_program() - _codes_of_golden()) == []
    assert sorted(_codes_of_golden() - _codes_of_program()) == []


def test_every_code_is_explained() -> None:
    """Every code stands in the docs, and the docs name none that the program lacks."""
    pages = [(PROJECT / "docs" / name).read_text("utf-8") for name in ("language.md", "cel.md")]
    explained = {code for page in pages for code in re.findall(r"\b[EW]\d{3}\b", page)}
    assert sorted(_codes_of_program() ^ explained) == []
