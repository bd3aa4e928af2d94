"""The Dockerfile held against the checkout: for want of a Docker engine it is not built here."""

from __future__ import annotations

import re
import tomllib

from monitor.config.table import Settings
from tests.support.compose import ROOT, services

LINES = [
    line
    for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def said(word: str) -> list[str]:
    """The arguments of each instruction of a kind."""
    return [line.split(" ", 1)[1].strip() for line in LINES if line.split(" ", 1)[0] == word]


def copied() -> list[str]:
    """What is copied from the checkout."""
    lines = [words for words in said("COPY") if not words.startswith("--from=")]
    return [name.rstrip("/") for words in lines for name in words.split()[:-1]]


def test_both_stages_begin_from_one_pinned_image() -> None:
    """A whole version of a Python that the project takes."""
    images = [words.split()[0] for words in said("FROM")]
    assert len(images) == 2 and len(set(images)) == 1
    match = re.fullmatch(r"python:3\.(\d+)\.\d+-slim-bookworm", images[0])
    assert match is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = int(project["requires-python"].removeprefix(">=3."))
    assert int(match[1]) >= least


def test_what_is_built_is_what_the_wheel_needs() -> None:
    """Every package that is shipped, and what the build reads; all let through by .dockerignore."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    told = project["tool"]["setuptools"]
    packages = {p.rstrip("*") for p in told["packages"]["find"]["include"]}
    modules = {f"{name}.py" for name in told["py-modules"]}
    needed = packages | modules | {"interlock", "pyproject.toml", project["project"]["readme"]}
    assert needed <= set(copied())
    for name in copied():
        assert (ROOT / name).exists()
    assert IGNORED[1] == "*"
    assert {line.strip("!/") for line in IGNORED if line.startswith("!")} == set(copied())


def test_both_distributions_are_installed_by_one_command() -> None:
    """The monitor depends on the client of its version, which no index has."""
    assert any("pip install" in line and line.endswith(" ./interlock .") for line in said("RUN"))


def test_it_runs_without_rights() -> None:
    """As the user whom the compose file names, who owns the state and nothing else."""
    (user,) = said("USER")
    assert user == services()["monitor"]["user"] == services()["topics"]["user"]
    assert LINES.index(f"USER {user}") > max(
        number for number, line in enumerate(LINES) if line.startswith(("RUN", "COPY"))
    )
    number = user.split(":")[0]
    owned = re.search(r"--owner (\d+) --group (\d+) --mode 0700 (\S+)", " ".join(LINES))
    assert owned is not None
    assert owned[1] == owned[2] == number
    assert owned[3] in [line.split(":")[1] for line in services()["monitor"]["volumes"]]


def test_it_starts_the_command_line() -> None:
    """The entry point is the installed command, and the port is the monitor's."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert said("ENTRYPOINT") == ['["interlock"]']
    assert "interlock" in scripts
    assert said("EXPOSE") == [str(Settings().http_port)]
    assert any(line.startswith("ENV PATH=/opt/interlock/bin:") for line in LINES)
