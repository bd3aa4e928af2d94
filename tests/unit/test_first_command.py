"""`make demo` installs what the demo needs, and no more; `make test` and `make check` all of it."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh one, as far as `make` looks at it."""
    (tmp_path / "interlock").mkdir()
    for name in ("Makefile", "pyproject.toml", "interlock/pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def planned(checkout: Path, target: str) -> str:
    """What `make` would do, without doing it."""
    make = shutil.which("make")
    assert make is not None, "the first command is `make`"
    command = [make, "--dry-run", "--no-print-directory", "PYTHON=python3", "VENV=.venv", target]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    return done.stdout


def install(checkout: Path, *stamps: str) -> None:
    """As if the environment had been made with these stamps."""
    (checkout / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    for path in ("bin/python", *stamps):
        (checkout / ".venv" / path).touch()


@pytest.mark.parametrize("target", ["demo", "kafka", "kafka-stop"])
def test_the_demo_brings_no_tool_of_ours(checkout: Path, target: str) -> None:
    """Type checkers, linters and test libraries are not what somebody needs who looks for once."""
    told = planned(checkout, target)
    assert "--editable ./interlock --editable '.[train,gate]'" in told
    assert "dev" not in told
    assert "-m venv .venv" in told


@pytest.mark.parametrize("target", ["test", "check", "format"])
def test_the_tests_bring_all(checkout: Path, target: str) -> None:
    """Also where the demo was installed before; the environment is then kept."""
    install(checkout, ".installed-demo")
    told = planned(checkout, target)
    assert "'.[dev,train,completion]'" in told
    assert "-m venv" not in told


def test_nothing_is_installed_twice(checkout: Path) -> None:
    """Each stamp is looked at, and a change of pyproject.toml makes both old."""
    install(checkout, ".installed-demo", ".installed")
    assert "pip" not in planned(checkout, "demo") + planned(checkout, "check")
    (checkout / "pyproject.toml").write_text("[project]\n")
    assert "'.[train,gate]'" in planned(checkout, "demo")
    assert "'.[dev,train,completion]'" in planned(checkout, "check")


def test_a_change_of_the_client_is_installed(checkout: Path) -> None:
    """Its dependencies are its own."""
    install(checkout, ".installed-demo", ".installed")
    (checkout / "interlock" / "pyproject.toml").write_text("[project]\n")
    assert "'.[train,gate]'" in planned(checkout, "demo")


def test_each_phase_says_what_it_does(checkout: Path) -> None:
    """One plain line each, before it begins: installing may take minutes on a slow line."""
    told = [line for line in planned(checkout, "demo").splitlines() if line.startswith("echo")]
    assert [line.split('"')[1].split(" ")[0] for line in told] == ["making", "installing"]


def test_the_demo_needs_only_what_is_installed_for_it() -> None:
    """The extra that it installs names numpy and scikit-learn, for it learns; tests name more."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert {name.partition(">")[0] for name in extras["train"]} == {"numpy", "scikit-learn"}
    tools = ("mypy", "ruff", "pytest", "hypothesis")
    assert not [name for name in (*project["dependencies"], *extras["train"]) if name in tools]


def test_every_folder_of_the_client_is_shipped() -> None:
    """Its packages are listed one by one, since its folder has the name of the first."""
    told = tomllib.loads((ROOT / "interlock" / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = [path.parent.relative_to(ROOT) for path in ROOT.glob("interlock/**/__init__.py")]
    shipped = [name for name in folders if "build" not in name.parts]
    assert sorted(told["packages"]) == sorted(".".join(name.parts) for name in shipped)


def test_packaging_has_nothing_to_warn_of() -> None:
    """The licence is an SPDX expression, which the oldest setuptools that is let in can read."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert told["project"]["license"] == "Apache-2.0"
    assert told["build-system"]["requires"] == ["setuptools>=77.0.3"]
    # Otherwise an editable install warns that folders beside it may take precedence.
    assert told["tool"]["setuptools"]["package-dir"] == {"": "."}
