"""Installed versions -> diagnoses: Python and the libraries, against the bounds of packages.

The requirements are those that the installed packages state themselves (their metadata). Only the
forms that ours use are read; a requirement in another form is `unknown`, never `ok`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from monitor.doctor.diagnosis import Diagnosis, command, ok, trouble, unknown
from monitor.presentation import visible

PYTHON, LIBRARIES, PACKAGES = "versions.python", "versions.libraries", "versions.packages"
PYTHON_MIN: Final = (3, 11)
_REQUIREMENT: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[[a-z0-9, _-]*\])?\s*(?P<bounds>[^;]*)"
    r"(;\s*extra == [\"'](?P<extra>[a-z0-9_-]+)[\"'])?\Z"
)
_BOUND: Final = re.compile(r"(>=|<|==)\s*(\d+(?:\.\d+)*)\Z")
_RELEASE: Final = re.compile(r"\d+(?:\.\d+)*")


class VersionFacts(msgspec.Struct, frozen=True):
    """`packages` are our own: the version of each, or None. `requirements` are theirs, as they
    state them; `installed` has the version of each package by its normalised name. `extras` are
    those that the settings need.
    """

    python: tuple[int, int, int]
    packages: Mapping[str, str | None]
    requirements: tuple[str, ...]
    installed: Mapping[str, str]
    extras: frozenset[str] = frozenset()


def judge_versions(facts: VersionFacts) -> list[Diagnosis]:
    """Python, our own packages, and the libraries that they need."""
    found = [_python(facts), _packages(facts)]
    libraries = [one for text in facts.requirements if (one := _library(text, facts)) is not None]
    wrong = [one for one in libraries if one.outcome != "ok"]
    if not libraries:
        text = "the packages state no requirements: this may be a checkout that is not installed"
        wrong = [unknown(LIBRARIES, "this environment", text)]
    if not wrong:
        text = f"{len(libraries)} libraries have the versions that are needed"
        wrong = [ok(LIBRARIES, "this environment", text)]
    return [*found, *wrong]


def normalised(name: str) -> str:
    """A package's name as all its spellings have it. Source: PEP 503.

    Examples
    --------
    >>> normalised("Google_RE2")
    'google-re2'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _python(facts: VersionFacts) -> Diagnosis:
    version = ".".join(map(str, facts.python))
    if facts.python < PYTHON_MIN:
        text = f"Python {version} is too old; 3.11 or later is needed"
        return trouble(PYTHON, "this environment", text, "make an environment with a newer Python")
    return ok(PYTHON, "this environment", f"Python {version}")


def _packages(facts: VersionFacts) -> Diagnosis:
    listed = ", ".join(f"{name} {version}" for name, version in facts.packages.items() if version)
    missing = [name for name, version in facts.packages.items() if version is None]
    if missing:
        text = f"no installed package tells the version of {', '.join(missing)}"
        return unknown(PACKAGES, "this environment", text, "install the wheels of `make dist`")
    if len(set(facts.packages.values())) > 1:
        text = f"the monitor and the client have different versions: {listed}"
        return trouble(PACKAGES, "this environment", text, "install both wheels of one `make dist`")
    return ok(PACKAGES, "this environment", listed)


def _library(requirement: str, facts: VersionFacts) -> Diagnosis | None:
    """The check of one requirement; None if nothing here needs it."""
    match = _REQUIREMENT.match(requirement.strip())
    if match is None:
        text = f"the requirement `{visible(requirement)}` has a form that is not read here"
        return unknown(LIBRARIES, "this environment", text)
    name, extra = normalised(match["name"]), match["extra"]
    if extra is not None and extra not in facts.extras:
        return None
    installed = facts.installed.get(name)
    if installed is None:
        mend = command("pip", "install", requirement.partition(";")[0].strip())
        return trouble(LIBRARIES, name, "it is needed, and not installed", mend)
    return _within(name, installed, match["bounds"].strip())


def _within(name: str, installed: str, bounds: str) -> Diagnosis:
    release = _RELEASE.match(installed)
    for bound in filter(None, (part.strip() for part in bounds.strip("()").split(","))):
        match = _BOUND.match(bound)
        if match is None or release is None:
            text = f"its version {visible(installed)} cannot be compared with `{visible(bound)}`"
            return unknown(LIBRARIES, name, text)
        if not _satisfies(_numbers(release[0]), match[1], _numbers(match[2])):
            text = f"its version {visible(installed)} is not {bounds}"
            mend = command("pip", "install", f"{name}{bounds}")
            return trouble(LIBRARIES, name, text, mend)
    return ok(LIBRARIES, name, installed)


def _satisfies(version: tuple[int, ...], operator: str, bound: tuple[int, ...]) -> bool:
    size = max(len(version), len(bound))
    left, right = (one + (0,) * (size - len(one)) for one in (version, bound))
    if operator == ">=":
        return left >= right
    return left < right if operator == "<" else left == right


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
