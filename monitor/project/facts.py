"""The packages that a project requires and the modules that it imports, by its files' texts. Pure.

Foreign text: nothing of it is run, and a file that cannot be parsed names nothing.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

_NAME: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
KEYS_COST_MAX: Final = 4_000_000
"""Chosen: the parser's memory grows with the square of the parts of a key, which stands in a line;
it takes 30 MB for so many. Ordinary files have some thousands.
"""
NESTING_MAX: Final = 20
"""Chosen: dependencies of any tool stand less deep in a file of settings."""


def packages_of(name: str, text: str) -> set[str]:
    """The packages that a file of requirements names, in their normal spelling.

    Examples
    --------
    >>> sorted(packages_of("requirements.txt", "LangChain>=1 # x\\n-r other.txt\\n"))
    ['langchain']
    """
    if name.endswith(".toml"):
        return {_normalised(one) for one in _of_toml(text)}
    if name == "package.json":
        return _of_json(text)
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {_normalised(line) for line in lines if _NAME.match(line)}


def modules_of(text: str) -> set[str]:
    """The first parts of the names of all modules that Python code imports."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def _of_toml(text: str) -> Iterator[str]:
    """Requirements of `[project]`, of groups, and the names of Poetry's tables."""
    if sum(line.count(".") ** 2 for line in text.splitlines()) > KEYS_COST_MAX:
        return
    try:
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    for key in ("project", "dependency-groups"):
        yield from _texts(told.get(key), 0)
    for key in ("packages", "dev-packages"):  # A Pipfile.
        yield from told[key] if isinstance(told.get(key), dict) else ()
    tool = told.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    yield from _keys(poetry, 0)


def _texts(value: Any, depth: int) -> Iterator[str]:
    """The texts of lists below `dependencies` and their like."""
    if depth > NESTING_MAX:
        return
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner, depth + 1)
    elif isinstance(value, list):
        yield from (one for one in value if isinstance(one, str))


def _keys(value: Any, depth: int) -> Iterator[str]:
    """The keys of all tables that are named `dependencies`."""
    if not isinstance(value, dict) or depth > NESTING_MAX:
        return
    for key, inner in value.items():
        if key == "dependencies" and isinstance(inner, dict):
            yield from inner
        yield from _keys(inner, depth + 1)


def _of_json(text: str) -> set[str]:
    """The packages of Node, with the mark `npm:`: their names are others than Python's."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    tables = (
        [told.get(key) for key in ("dependencies", "devDependencies")]
        if isinstance(told, dict)
        else []
    )
    return {f"npm:{name}" for table in tables if isinstance(table, dict) for name in table}


def _normalised(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""
