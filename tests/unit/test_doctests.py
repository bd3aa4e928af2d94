"""The examples in docstrings, run: each prints what stands below it."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("invariants", "detectors", "monitor", "replay", "interlock")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str) -> None:
    """A failure prints the example, the expected and the actual output above this line."""
    result = doctest.testmod(import_module(name))
    assert result.attempted, f"`{name}` contains `>>>`, but no example that doctest finds"
    assert not result.failed, f"{result.failed} example(s) in the docstrings of `{name}` are wrong"
