"""An invariant file's text into its one canonical form, which says the same.

Input: the text of a file. Output: that text with every formula as `formula/format.py` writes it,
and with what is sure to mean nothing tidied: line ends, white space at the end of lines, blank
lines. Comments, the order of keys and the quoting of all else stay. It edits pieces of the text
and makes no YAML anew; that the result says the same is asked of the loader, not assumed.

A formula stands on the line of its key where it fits there; else in a `>-` block. In `{...}` and
`[...]` it stands in single quotes where YAML would cut it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

import msgspec

from ..formula.durations import format_duration
from ..formula.format import format_clearly, format_lines
from ..formula.parser import parse_formula, parse_span
from ..model.errors import Place, SpecError
from ..model.source_text import SourceText
from ..yaml.nodes import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml, resolve_plain
from .allowed_calls import NAME as ALLOWED_CALLS
from .load import load_spec
from .model import Spec
from .pattern_table import PATTERNS

COLUMNS_MAX: Final = 100  # Chosen: what two files beside each other leave on a screen.
INDENT: Final = 2


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A canonical text; `is_same` says that it loads as the same file. Without it, drop it."""

    text: str
    is_same: bool


def rewrite(text: str, file: str) -> Rewritten:
    """The canonical form of a file's text. Names in it need not be known.

    Raises
    ------
    SpecError
        With every fault of the file's shape.
    """
    before = _load(text, file)
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    result = _tidied(_with_formulas(plain, file), file)
    try:
        is_same = _said(_load(result, file)) == _said(before)
    except SpecError:
        is_same = False
    return Rewritten(result, is_same)


def _load(text: str, file: str) -> Spec:
    # What stands in a list's file is not at stake here: its name stands for it.
    spec, faults = load_spec(text, file, lambda _, written: f"file {written}")
    if spec is None:
        raise SpecError(faults)
    return spec


def _said(value: Any) -> object:
    """All that a spec says, and of which type (1 is not true), without where it is written."""
    match value:
        case SourceText(text):
            return text
        case Mapping():
            return tuple((key, _said(inner)) for key, inner in value.items())
        case tuple() | list():
            return tuple(_said(inner) for inner in value)
        case frozenset():
            return tuple(sorted(map(repr, value)))
    if is_dataclass(value) or isinstance(value, msgspec.Struct):
        names = [name for name in _fields(value) if name not in ("place", "formula_source")]
        return type(value).__name__, tuple((name, _said(getattr(value, name))) for name in names)
    return type(value).__name__, repr(value)


def _fields(value: Any) -> tuple[str, ...]:
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    return tuple(field.name for field in fields(value))


# Formulas.


@dataclass(frozen=True, slots=True)
class _Part:
    """A formula or duration in the tree; `column` is that of its map or list, from 0.

    `key` stands before it where its parent is a map in block style.
    """

    scalar: YamlScalar
    is_flow: bool
    column: int
    key: YamlScalar | None
    is_span: bool = False

    def lines(self, width: int) -> list[str]:
        """Its content, in canonical form."""
        if self.is_span:
            span_ns = parse_span(self.scalar.text, file="", locate=lambda _: Place())
            return [format_duration(span_ns)]
        return format_lines(parse_formula(self.scalar.text), width)

    def line(self) -> str:
        """The same on one line."""
        return self.lines(1)[0] if self.is_span else format_clearly(parse_formula(self.scalar.text))


def _with_formulas(text: str, file: str) -> str:
    root, _ = read_yaml(text, file)
    edits = [_edit(part, text) for part in _parts(root)]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _parts(root: YamlNode | None) -> Iterator[_Part]:
    """Every formula and duration of a file that was loaded."""
    for _, invariants, is_flow in _children(root, False):
        if not isinstance(invariants, YamlList):
            continue
        for item in invariants.items:
            for key, value, is_inside in _children(item, is_flow or invariants.is_flow):
                if key.text == "pattern":
                    yield from _parts_of_pattern(value, is_inside)
                elif key.text in ("never", "always"):
                    yield from _part(item, key, value, is_inside)


def _children(node: YamlNode | None, is_flow: bool) -> Iterator[tuple[YamlScalar, YamlNode, bool]]:
    if isinstance(node, YamlMap):
        for key, value in node.entries:
            yield key, value, is_flow or node.is_flow


def _parts_of_pattern(node: YamlNode, is_flow: bool) -> Iterator[_Part]:
    for name, value, is_inside in _children(node, is_flow):
        if name.text == ALLOWED_CALLS:
            continue  # It holds no formula.
        if PATTERNS[name.text].is_list and isinstance(value, YamlList):
            for item in value.items:
                yield from _part(value, None, item, is_inside or value.is_flow)
        for key, inner, is_deep in _children(value, is_inside):
            if key.text != "times":
                yield from _part(value, key, inner, is_deep, is_span=key.text == "within")


def _part(
    parent: YamlNode, key: YamlScalar | None, value: YamlNode, is_flow: bool, is_span: bool = False
) -> Iterator[_Part]:
    if isinstance(value, YamlScalar):
        place = parent.place if key is None else key.place
        yield _Part(value, is_flow, place.column - 1, None if is_flow else key, is_span)


_COMMENT = re.compile(r"[ \t]*(#.*)?")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(#.*)?")


def _edit(part: _Part, text: str) -> tuple[int, int, str]:
    """Which piece of the text is replaced, and by what."""
    scalar = part.scalar
    start, end = scalar.offset, scalar.offset + len(scalar.raw)
    line = part.line()
    if part.is_flow:
        return start, end, line if _is_plain_in_flow(line) else _quoted(line)
    is_block = scalar.style in ("|", ">")
    comment = _HEADER.match(scalar.raw) if is_block else _COMMENT.match(text, end)
    assert comment is not None, "both patterns may be empty"
    if is_block:
        end = start + len(scalar.raw.rstrip())
    start, gap = _begin(part, text)
    column = start + len(gap) - (text.rfind("\n", 0, start) + 1)
    if _is_plain(line) and column + len(line) <= COLUMNS_MAX:
        told = f" {comment[1]}" if is_block and comment[1] else ""
        return start, end, f"{gap}{line}{told}"
    indent = " " * (part.column + INDENT)
    lines = [f"{indent}{piece}" for piece in part.lines(COLUMNS_MAX - len(indent))]
    header = f"{gap}>- {comment[1]}" if comment[1] else f"{gap}>-"
    # A comment behind the value would be read as a piece of the block: it goes to its head.
    return start, end if is_block else comment.end(), "\n".join([header, *lines])


def _begin(part: _Part, text: str) -> tuple[int, str]:
    """Where the edit begins, and what stands between there and the formula."""
    key, start = part.key, part.scalar.offset
    if key is not None:
        key_end = key.offset + len(key.raw)
        before = text[text.rfind("\n", 0, key.offset) + 1 : key.offset]
        # A comment between the two, or the form `? key`, stays as it is.
        if not before.strip(" -") and re.fullmatch(r"\s*:\s*", text[key_end:start]):
            return key_end, ": "
    return start, ""


_PLAIN = re.compile(r"[A-Za-z0-9_(](?!.*(?:: | #)).*[^:]")
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z0-9_(][A-Za-z0-9_ .()=<>!-]*")


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(f"{text} ")) and resolve_plain(text) == text


def _is_plain_in_flow(text: str) -> bool:
    return bool(_PLAIN_IN_FLOW.fullmatch(text)) and resolve_plain(text) == text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# White space.


def _tidied(text: str, file: str) -> str:
    """Without white space that means nothing; what lies inside a value is left alone."""
    root, _ = read_yaml(text, file)
    kept = _kept(root, len(text))
    lines: list[str] = []
    is_blank = True
    offset = 0
    for raw in text.split("\n"):
        end = offset + len(raw)
        line = raw
        if not kept[end]:
            inside = kept.rfind(1, offset, end) + 1 - offset if any(kept[offset:end]) else 0
            line = raw[:inside] + raw[inside:].rstrip()
        if line or kept[end] or not is_blank:
            lines.append(line)
        is_blank = not line and not kept[end]
        offset = end + 1
    # A block that ends with the file may mean the line break that it has, or has not.
    if kept[len(text)]:
        return "\n".join(lines)
    while lines and not lines[-1] and not kept[len(text) - 1]:
        lines.pop()
    return "\n".join(lines) + ("" if lines and not lines[-1] else "\n")


def _kept(root: YamlNode | None, length: int) -> bytearray:
    """1 where a character belongs to a value of more than one line."""
    kept = bytearray(length + 1)
    for scalar in _scalars(root):
        raw = scalar.raw
        if scalar.style in ("|", ">"):
            header = raw.split("\n", 1)[0].split("#")[0]
            is_whole = "+" in header and raw.endswith("\n")
            raw = raw if is_whole else raw.rstrip("\n") + ("" if "-" in header else "\n")
        if "\n" in raw:
            kept[scalar.offset : scalar.offset + len(raw)] = b"\1" * len(raw)
    return kept


def _scalars(node: YamlNode | None) -> Iterator[YamlScalar]:
    match node:
        case YamlScalar():
            yield node
        case YamlList(items=items):
            for item in items:
                yield from _scalars(item)
        case YamlMap(entries=entries):
            for key, value in entries:
                yield key
                yield from _scalars(value)
