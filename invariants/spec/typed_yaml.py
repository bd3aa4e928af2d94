"""Reads typed values from YAML nodes and reports faults.

Every reader returns None after it reported a fault, so that loading continues and all faults of a
file are reported at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeVar

from ..formula.tokens import RESERVED_WORDS, show_text
from ..model.errors import Fault, Place
from ..model.nearest import nearest
from ..model.source_text import SourceText
from ..yaml.faults import (
    BLOCK_MEND,
    E_CHOICE,
    E_CUT,
    E_EMPTY,
    E_EXAMPLE,
    E_FLOW_MAP,
    E_KEY_MISSING,
    E_KEY_UNKNOWN,
    E_NAME,
    E_SHAPE,
)
from ..yaml.nodes import YamlList, YamlMap, YamlNode, YamlScalar
from .meant_keys import mend_of_unknown_key

Choice = TypeVar("Choice", bound=str)

KNOWN_SHOWN_MAX: Final = 20  # Chosen: all fields of an event; a longer list is no help.

_MEANT_CHOICES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("error", "high", "fatal", "severe"), "critical"),
    **dict.fromkeys(("warn", "medium", "moderate"), "warning"),
    **dict.fromkeys(("low", "notice", "debug"), "info"),
    **dict.fromkeys(("notify", "log"), "alert"),
    **dict.fromkeys(("audit", "monitor", "dry-run"), "observe"),
    **dict.fromkeys(("block", "prevent", "active", "enforcing"), "enforce"),
    **dict.fromkeys(("terminate", "abort"), "kill"),
    **dict.fromkeys(("isolate", "suspend", "pause"), "quarantine"),
    **dict.fromkeys(("conversation", "thread"), "session"),
    **dict.fromkeys(("fail", "violation"), "violate"),
}
"""Chosen: words of other programs for these choices."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# Source: the CEL specification, "Syntax": words that are not identifiers.
CEL_WORDS: Final = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let"}
    | {"loop", "package", "namespace", "null", "return", "true", "false", "var", "void", "while"}
)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A mend that names the nearest known word, else all of them (a few)."""
    names = sorted(known)
    if near := nearest(word, names):
        return f"did you mean `{near}`?"
    if not names:
        return "there is none"
    shown = ", ".join(f"`{name}`" for name in names[:KNOWN_SHOWN_MAX])
    return f"known: {shown}{', ...' if len(names) > KNOWN_SHOWN_MAX else ''}"


class Shape:
    """Reads nodes of one file and gathers its faults."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self.file = file
        self.faults = faults

    def add(
        self,
        place: Place,
        code: str,
        message: str,
        mend: str,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Report a fault."""
        self.faults.append(Fault(self.file, place, code, message, mend, severity))

    def has_value(self, node: YamlNode, what: str) -> bool:
        """True if there is a value; else reports E206, unless a fault was reported before."""
        if node.is_refused:
            return False
        match node:
            case YamlScalar(value=value):
                is_empty = value is None or value == ""
            case YamlList(items=items):
                is_empty = not items
            case YamlMap(entries=entries):
                is_empty = not entries
        if is_empty:
            self.add(node.place, E_EMPTY, f"{what} is empty", "write a value")
        return not is_empty

    def map_of(self, node: YamlNode, what: str) -> YamlMap | None:
        """A map with something in it."""
        if not self.has_value(node, what):
            return None
        if isinstance(node, YamlMap):
            return node
        message = f"{what} must be a map, not {sort_of(node)}"
        without = ", without `- `" if isinstance(node, YamlList) else ""
        mend = f"write a line `key: value` for each entry{without}"
        self.add(node.place, E_SHAPE, message, mend)
        return None

    def items_of(self, node: YamlNode, what: str) -> tuple[YamlNode, ...] | None:
        """The items of a list with something in it."""
        if not self.has_value(node, what):
            return None
        if isinstance(node, YamlList):
            return node.items
        message = f"{what} must be a list, not {sort_of(node)}"
        self.add(node.place, E_SHAPE, message, "write `[a, b]`, or a line `- a` for each item")
        return None

    def keys_of(
        self, node: YamlMap, what: str, allowed: Iterable[str], required: Iterable[str] = ()
    ) -> Mapping[str, YamlNode]:
        """The known keys of a map; unknown (E204) and missing ones (E205) are reported."""
        known = tuple(allowed)
        found: dict[str, YamlNode] = {}
        for key, value in node.entries:
            if key.text in known:
                found[key.text] = value
                continue
            present = {other.text for other, _ in node.entries}
            mend = mend_of_unknown_key(key.text, known, present)
            mend = mend or did_you_mean(key.text, set(known))
            if re.search(r"[\s\"'()]", key.text):
                mend = f"if this is an expression, YAML read a key up to its `: `; {BLOCK_MEND}"
            self.add(key.place, E_KEY_UNKNOWN, f"{what} has no key {show_text(key.text)}", mend)
        for missing in required:
            if missing not in found:
                message = f"{what} has no `{missing}`"
                self.add(node.place, E_KEY_MISSING, message, f"add `{missing}: ...`")
        return found

    def text_of(self, node: YamlNode, what: str) -> YamlScalar | None:
        """Text that is not empty."""
        if not self.has_value(node, what):
            return None
        if isinstance(node, YamlScalar) and isinstance(node.value, str):
            return node
        message = f"{what} must be text, not {sort_of(node)}"
        mend = "put it in quotes" if isinstance(node, YamlScalar) else "write one text"
        self.add(node.place, E_SHAPE, message, mend)
        return None

    def choice_of(
        self, node: YamlNode | None, what: str, options: Mapping[str, Choice]
    ) -> Choice | None:
        """One of a few words (E208 for any other); None also if there is no node."""
        scalar = self.text_of(node, what) if node is not None else None
        if scalar is None:
            return None
        if scalar.text in options:
            return options[scalar.text]
        choices = " or ".join(f"`{option}`" for option in options)
        message = f"{what} must be {choices}, not {show_text(scalar.text)}"
        meant = _MEANT_CHOICES.get(scalar.text.lower(), "")
        near = meant if meant in options else nearest(scalar.text, options)
        mend = f"write `{near}`" if near else "write one of them"
        self.add(scalar.place, E_CHOICE, message, mend)
        return None

    def json_of(self, node: YamlNode) -> Any:
        """The JSON value of a node; a number that JSON cannot write is reported (E215)."""
        match node:
            case YamlMap(entries=entries):
                return {key.text: self.json_of(value) for key, value in entries}
            case YamlList(items=items):
                return [self.json_of(item) for item in items]
            case YamlScalar(value=value):
                if isinstance(value, float) and not math.isfinite(value):
                    message = f"`{node.text}` is not a valid JSON value"
                    self.add(node.place, E_EXAMPLE, message, "write a finite number")
                return value

    def expression_of(self, node: YamlNode, what: str) -> SourceText | None:
        """The text of a CEL expression or a formula, with its places."""
        if isinstance(node, YamlMap) and node.is_flow:
            message = f"{what} starts with `{{`, so YAML reads a map"
            self.add(node.place, E_FLOW_MAP, message, BLOCK_MEND)
            return None
        if not self.has_value(node, what):
            return None
        if not isinstance(node, YamlScalar):
            message = f"{what} must be one expression, and YAML reads {sort_of(node)} here"
            mend = BLOCK_MEND
            if isinstance(node, YamlList):
                mend = f"join its items with an operator, or {mend}"
            self.add(node.place, E_SHAPE, message, mend)
            return None
        if node.is_cut and _has_open_quote(node.text):
            message = f"{what} is incomplete: in a value without quotes, ` #` begins a comment"
            self.add(node.place, E_CUT, message, BLOCK_MEND)
            return None
        return node.source()

    def name_of(
        self, key: YamlScalar, what: str, *, also_reserved: frozenset[str] = frozenset()
    ) -> bool:
        """May this key be the name of something? Tells E213 otherwise."""
        if not _NAME.fullmatch(key.text) or key.text == "_":
            message = f"{show_text(key.text)} cannot be {what}"
            mend = "a name has ASCII letters, digits and `_`, and begins with a letter or `_`"
            underlined = key.text.replace("-", "_")
            if underlined != key.text and _NAME.fullmatch(underlined):
                mend = f"write `{underlined}`"
            self.add(key.place, E_NAME, message, mend)
            return False
        if key.text in RESERVED_WORDS or key.text in also_reserved:
            message = f"`{key.text}` is a reserved word and cannot be {what}"
            self.add(key.place, E_NAME, message, "choose another name")
            return False
        return True


def _has_open_quote(text: str) -> bool:
    """Does the text end inside quotes, as CEL and formulas read them?"""
    quote, is_escaped = "", False
    for character in text:
        if is_escaped:
            is_escaped = False
        elif quote and character == "\\":
            is_escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
    return bool(quote)


def sort_of(node: YamlNode) -> str:
    """The description of a node in a message."""
    match node:
        case YamlMap():
            return "a map"
        case YamlList():
            return "a list"
        case YamlScalar(value=bool()):
            return f"the truth value {show_text(node.text)}"
        case YamlScalar(value=int() | float()):
            return f"the number {show_text(node.text)}"
        case YamlScalar(value=None):
            return "empty"
        case YamlScalar():
            return f"the text {show_text(node.text)}"
