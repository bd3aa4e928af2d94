"""Reads `lists:` of an invariant file: inline values, or a file with one value per line.

    lists:
      internal_hosts: ["api.corp.example", "*.svc.cluster.local"]
      blocked: {file: blocked-hosts.txt}

A list file contains one text per line; blank lines and lines that begin with `#` are ignored. The
caller's `open_list` opens the file, and raises the reason if it cannot.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from ..yaml.faults import E_EMPTY, E_LIST_FILE, E_SHAPE
from ..yaml.nodes import YamlMap, YamlNode, YamlScalar
from .typed_yaml import CEL_WORDS, Shape

ELEMENTS_MAX: Final = 100_000  # Chosen: a list is a set in memory, looked up and never walked.

Scalar = str | int | float | bool

OpenList = Callable[[str, str], str]
"""From the invariant file's name and the written name to the list's text; ListFileError."""


class ListFileError(Exception):
    """A list's file cannot be read; carries the reason and the correction."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


def no_list_files(invariant_file: str, written: str) -> str:
    """For invariant texts that are not on disk."""
    raise ListFileError(
        "a list file needs an invariant file that is on disk", "write the list's items here"
    )


def read_lists(
    node: YamlNode | None, shape: Shape, open_list: OpenList
) -> dict[str, tuple[Scalar, ...]]:
    """Every list by its name."""
    lists: dict[str, tuple[Scalar, ...]] = {}
    top = shape.map_of(node, "`lists`") if node is not None else None
    for key, value in top.entries if top else ():
        what = f"the list `{key.text}`"
        if not shape.name_of(key, "the name of a list", also_reserved=CEL_WORDS):
            continue
        if isinstance(value, YamlMap):
            lists[key.text] = _read_file(value, what, shape, open_list)
            continue
        items = shape.items_of(value, what)
        elements = [_read_element(item, what, shape) for item in items or ()]
        lists[key.text] = tuple(element for element in elements if element is not None)
    return lists


def _read_file(node: YamlMap, what: str, shape: Shape, open_list: OpenList) -> tuple[str, ...]:
    keys = shape.keys_of(node, what, ("file",), ("file",))
    name = shape.text_of(keys["file"], f"`file` of {what}") if "file" in keys else None
    if name is None:
        return ()
    try:
        text = open_list(shape.file, name.text)
    except ListFileError as error:
        shape.add(name.place, E_LIST_FILE, f"{what}: {error.reason}", error.mend)
        return ()
    lines = (line.strip() for line in text.splitlines())
    found = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not found:
        shape.add(name.place, E_EMPTY, f"{what}: its file is empty", "write one item per line")
    if len(found) > ELEMENTS_MAX:
        message = f"{what}: its file has {len(found)} items; the maximum is {ELEMENTS_MAX}"
        shape.add(name.place, E_LIST_FILE, message, "write patterns, or several lists")
    return found


def _read_element(node: YamlNode, what: str, shape: Shape) -> Scalar | None:
    if not shape.has_value(node, f"an item of {what}"):
        return None
    if not isinstance(node, YamlScalar):
        message = f"an item of {what} must be a text, a number or a truth value"
        shape.add(node.place, E_SHAPE, message, "write one such value")
        return None
    if isinstance(node.value, float) and not math.isfinite(node.value):
        message = f"an item of {what} is not finite"
        shape.add(node.place, E_SHAPE, message, "write a finite number, or put text in quotes")
        return None
    return node.value
