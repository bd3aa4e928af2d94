"""The probes of the installed versions and of the invariant files."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError
from monitor.authoring.examples import run_examples
from monitor.authoring.files import examine
from monitor.authoring.packs import pack_paths
from monitor.doctor.invariants import InvariantFacts
from monitor.doctor.versions import VersionFacts, normalised

PACKAGES: Final = ("interlock", "interlock-client")


def look_at_versions(extras: frozenset[str]) -> VersionFacts:
    """The versions in this environment."""
    installed = {normalised(one.name): one.version for one in distributions() if one.name}
    requirements = [text for name in PACKAGES for text in _requires(name)]
    packages = {name: _version(name) for name in PACKAGES}
    return VersionFacts(sys.version_info[:3], packages, tuple(requirements), installed, extras)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def look_at_invariants(locations: tuple[str, ...]) -> InvariantFacts:
    """The files, checked, and the examples of those that are the user's own."""
    paths = [Path(location) for location in locations]
    try:
        specs, faults = examine(*paths)
    except ConfigError as error:
        return InvariantFacts(refusal=str(error))
    shipped = {str(one) for path in paths for one in pack_paths(path) or ()}
    own = [spec for spec in specs if spec.file not in shipped]
    return InvariantFacts(specs, faults, run_examples(own))
