"""Reads `description`, `tags`, `owner` and `references` of an invariant.

Every finding carries them, so they are bounded. An address that is not a web address is refused,
since pages and terminals make links of anything that looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..formula.tokens import show_text
from ..yaml.faults import E_ABOUT
from ..yaml.nodes import YamlNode, YamlScalar
from .model import About
from .typed_yaml import Shape

# Chosen: a finding carries them, and is otherwise about 1 KB.
DESCRIPTION_CHARACTERS_MAX: Final = 1_000
OWNER_CHARACTERS_MAX: Final = 100
TAG_CHARACTERS_MAX: Final = 50
TAGS_MAX: Final = 20
REFERENCE_CHARACTERS_MAX: Final = 300
REFERENCES_MAX: Final = 10

ABOUT_KEYS: Final = ("description", "tags", "owner", "references")

_WEB = re.compile(r"https?://[^\s/?#]+(?:[/?#]\S*)?", re.IGNORECASE)
# `LLM01:2025` and `CWE-77: Command Injection` are texts; `javascript:...` and `ftp://...` are not.
_OTHER_SCHEME = re.compile(
    r"[a-z][a-z0-9+.-]*://|(?:javascript|vbscript|data|file|blob|mailto):|//", re.IGNORECASE
)


def read_about(keys: Mapping[str, YamlNode], shape: Shape) -> About:
    """The valid entries; faults are reported for the others."""
    return About(
        _description(keys.get("description"), shape),
        _texts(keys.get("tags"), "tags", TAGS_MAX, TAG_CHARACTERS_MAX, shape),
        _owner(keys.get("owner"), shape),
        _texts(
            keys.get("references"), "references", REFERENCES_MAX, REFERENCE_CHARACTERS_MAX, shape
        ),
    )


def _description(node: YamlNode | None, shape: Shape) -> str:
    scalar = shape.text_of(node, "`description`") if node is not None else None
    if scalar is None or _is_long(scalar, "`description`", DESCRIPTION_CHARACTERS_MAX, shape):
        return ""
    return scalar.text.strip()


def _owner(node: YamlNode | None, shape: Shape) -> str:
    scalar = shape.text_of(node, "`owner`") if node is not None else None
    return _line(scalar, "`owner`", OWNER_CHARACTERS_MAX, shape) if scalar is not None else ""


def _texts(
    node: YamlNode | None, key: str, count_max: int, characters_max: int, shape: Shape
) -> tuple[str, ...]:
    items = shape.items_of(node, f"`{key}`") if node is not None else None
    if node is None or items is None:
        return ()
    if len(items) > count_max:
        message = f"`{key}` has {len(items)} items; the maximum is {count_max}"
        shape.add(node.place, E_ABOUT, message, "keep the most useful ones")
        return ()
    found: dict[str, None] = {}
    for item in items:
        scalar = shape.text_of(item, f"an item of `{key}`")
        text = _line(scalar, f"an item of `{key}`", characters_max, shape) if scalar else ""
        if scalar is None or not text:
            continue
        if text in found:
            message = f"`{key}` contains {show_text(text)} twice"
            shape.add(scalar.place, E_ABOUT, message, "remove one")
        elif key == "references" and not _is_reference(text):
            message = f"{show_text(text)} is not a web address"
            mend = "write `https://...`, or a text without a scheme, such as `OWASP LLM01`"
            shape.add(scalar.place, E_ABOUT, message, mend)
        found[text] = None
    return tuple(found)


def _is_reference(text: str) -> bool:
    if text.lower().startswith(("http:", "https:")):
        return _WEB.fullmatch(text) is not None
    return _OTHER_SCHEME.match(text) is None


def _line(scalar: YamlScalar, what: str, characters_max: int, shape: Shape) -> str:
    """A text of one line that can be seen; empty where it was refused."""
    if _is_long(scalar, what, characters_max, shape):
        return ""
    text = scalar.text.strip()
    if text and text.isprintable():
        return text
    message = f"{what} must be one line of visible text, not {show_text(scalar.text)}"
    shape.add(scalar.place, E_ABOUT, message, "write it on one line; `description` takes several")
    return ""


def _is_long(scalar: YamlScalar, what: str, characters_max: int, shape: Shape) -> bool:
    if len(scalar.text) <= characters_max:
        return False
    message = f"{what} has {len(scalar.text)} characters; the maximum is {characters_max}"
    shape.add(scalar.place, E_ABOUT, message, "shorten it")
    return True
