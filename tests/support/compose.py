"""`docker-compose.yml` as data: services, mounts, ports, and what a path in a container is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"


@dataclass(frozen=True)
class Mount:
    """One line of a service's `volumes`: a path of the checkout or a named volume."""

    source: str
    target: PurePosixPath
    options: str

    @property
    def is_bind(self) -> bool:
        return self.source.startswith(".")

    @property
    def path(self) -> Path:
        assert self.is_bind
        return ROOT / self.source


def compose() -> dict[str, Any]:
    """The whole file."""
    content: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return content


def services() -> dict[str, dict[str, Any]]:
    """By name, with what they merge in."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def mounts(service: str) -> list[Mount]:
    """What a service mounts."""
    made = []
    for line in services()[service].get("volumes", []):
        source, target, *options = line.split(":")
        made.append(Mount(source, PurePosixPath(target), ",".join(options)))
    return made


def here(service: str, path: str) -> Path:
    """The file of the checkout that a service sees at a path; fails where it sees none."""
    wanted = PurePosixPath(path)
    for mount in mounts(service):
        if mount.is_bind and (wanted == mount.target or mount.target in wanted.parents):
            return mount.path / wanted.relative_to(mount.target)
    raise AssertionError(f"`{service}` sees nothing at `{path}`")


def ports(service: str) -> list[tuple[str, int, int]]:
    """Published ports as (address, port outside, port inside)."""
    made = []
    for line in services()[service].get("ports", []):
        address, outside, inside = line.split(":")
        made.append((address, int(outside), int(inside)))
    return made


def flags(service: str) -> dict[str, str]:
    """The `--name=value` arguments of a service's command."""
    return dict(word.split("=", 1) for word in services()[service].get("command", []))
