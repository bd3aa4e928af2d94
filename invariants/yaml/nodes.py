"""Parses YAML text into nodes with places, by the core schema of YAML 1.2 with further refusals.

Input: the text of one file. Output: a tree in which every key and value has its line and column,
and all faults. PyYAML splits the text (it implements YAML 1.1); the *meaning* of a plain scalar is
decided here, so that `on` and `2024-01-01` are text and `010` is ten. Refused: repeated keys, keys
that are not text, tags, anchors and aliases (in a reviewed file no part should depend on a distant
one), several documents, characters that hide text from a reader, and files too large to be
intended.

libyaml, which PyYAML can use too, is 25 times as fast, and reads another language: it accepts a tab
after a value and `{a?}`, and the missing value of `{a: }` has another place.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec
import yaml

from ..model.errors import Fault, Place
from ..model.source_text import SourceText
from .faults import (
    E_BOUND,
    E_CHARACTER,
    E_FORM,
    E_KEY_REPEATED,
    E_SHAPE,
    fault_of_property,
    fault_of_yaml,
)
from .positions import align_text

TEXT_BYTES_MAX: Final = (
    1 << 20
)  # Chosen: the largest rule file of four neighbouring tools is 300 KB.
NODES_MAX: Final = 100_000  # Chosen: about the content of 1 MiB of plausible text.
DEPTH_MAX: Final = 50  # Chosen: an invariant file needs 6, events in examples a few more.
NUMBER_CHARACTERS_MAX: Final = 400  # A double written out; Python refuses to read far longer ones.

Style = Literal["plain", "'", '"', "|", ">"]
Resolved = str | int | float | bool | None


class YamlScalar(msgspec.Struct, frozen=True):
    """A scalar: its text, its value in the core schema, and the piece of file that it came from.

    `is_cut` means that a comment follows it on its line; `is_refused`, for every node, that a fault
    was reported for it and its intended value is unknown. `raw` begins at `offset` of the file's
    text, a byte order mark not counted.
    """

    place: Place
    text: str
    value: Resolved
    style: Style
    raw: str
    is_cut: bool = False
    is_refused: bool = False
    offset: int = 0

    def source(self) -> SourceText:
        """The text with the place of every character in it."""
        segments = align_text(self.place, self.style, self.raw, self.text)
        return SourceText(self.text, segments[0][1], segments)


class YamlList(msgspec.Struct, frozen=True):
    """A list; `is_flow` means that it is written `[a, b]`."""

    place: Place
    items: tuple[YamlNode, ...]
    is_flow: bool
    is_refused: bool = False


class YamlMap(msgspec.Struct, frozen=True):
    """A map, in order; `is_flow` means that it is written `{a: b}`."""

    place: Place
    entries: tuple[tuple[YamlScalar, YamlNode], ...]
    is_flow: bool
    is_refused: bool = False


YamlNode = YamlScalar | YamlList | YamlMap


def read_yaml(text: str, file: str) -> tuple[YamlNode | None, list[Fault]]:
    """The only document of a text; None if it cannot be read at all (E201 to E207)."""
    early = _fault_of_text(text, file)
    if early is not None:
        return None, [early]
    text = text.removeprefix(_BYTE_ORDER_MARK)
    builder = _Builder(file, text)
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            builder.take(loader.get_event())  # type: ignore[no-untyped-call]
            if builder.is_stopped:
                return None, builder.faults
    except yaml.YAMLError as error:
        return None, [*builder.faults, fault_of_yaml(error, text, file)]
    except (ValueError, OverflowError):
        # PyYAML converts `\UFFFFFFFF` and the digits of `%YAML` without asking their size.
        message = "this file contains an escape or a version with a number that is too large"
        return None, [
            Fault(file, builder.place, E_FORM, message, "check the text after this place")
        ]
    return builder.root, builder.faults


# C1 breaks and U+2028 break lines only in YAML 1.1. A lone CR makes a terminal overwrite its
# output. Bidirectional controls reorder the visible text (Source: CVE-2021-42574). Invisible
# characters make two texts look equal (Source: Unicode, Default_Ignorable_Code_Point without U+FE00
# to U+FE0F, which emoji have). All of these let a person read another file than the parser.
_HIDING = re.compile(
    "\r(?!\n)|[\x85\u2028\u2029\u202a-\u202e"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_BYTE_ORDER_MARK: Final = "\ufeff"


def _fault_of_text(text: str, file: str) -> Fault | None:
    bytes_count = len(text.encode("utf-8", "surrogatepass"))
    if bytes_count > TEXT_BYTES_MAX:
        message = f"this file has {bytes_count} bytes, and the maximum is {TEXT_BYTES_MAX}"
        return Fault(file, Place(), E_BOUND, message, "split it into several files")
    if match := _HIDING.search(text, int(text.startswith(_BYTE_ORDER_MARK))):
        before = text[: match.start()]
        place = Place(before.count("\n") + 1, match.start() - (before.rfind("\n") + 1) + 1)
        code = ord(match.group())
        escape = f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        message = f"the character U+{code:04X} is invisible or changes the direction of text"
        mend = f'remove it, or write it as an escape in double quotes: `"{escape}"`'
        return Fault(file, place, E_CHARACTER, message, mend)
    return None


class _Open(msgspec.Struct):
    """A list or map that is being built; `key` waits for its value."""

    start: yaml.CollectionStartEvent
    items: list[YamlNode] = []
    entries: list[tuple[YamlScalar, YamlNode]] = []
    places: dict[str, Place] = {}
    key: YamlScalar | None = None
    is_key_refused: bool = False


class _Builder:
    """Folds the events of PyYAML into nodes with an explicit stack: depth does not cause
    recursion.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.faults: list[Fault] = []
        self.root: YamlNode | None = None
        self.stack: list[_Open] = []
        self.nodes_count = 0
        self.documents_count = 0
        self.place = Place()
        self.is_stopped = False

    def take(self, event: yaml.Event) -> None:
        self.place = _place(event)
        match event:
            case yaml.DocumentStartEvent():
                self.documents_count += 1
                if self.documents_count > 1:
                    message = "a second document begins here"
                    self.stop(E_FORM, message, "write one document per file, without `---`")
            case yaml.AliasEvent() | yaml.ScalarEvent() | yaml.CollectionStartEvent():
                self.take_node(event)
            case yaml.CollectionEndEvent():
                self.close()

    def take_node(self, event: yaml.NodeEvent) -> None:
        self.nodes_count += 1
        if self.nodes_count > NODES_MAX:
            self.stop(E_BOUND, f"this file has more than {NODES_MAX} values", "split the file")
            return
        fault = fault_of_property(event, self.text, self.file)
        if fault is not None:
            self.faults.append(fault)
        if isinstance(event, yaml.CollectionStartEvent):
            self.stack.append(_Open(event))
            if len(self.stack) > DEPTH_MAX:
                self.stop(E_BOUND, f"more than {DEPTH_MAX} levels deep", "nest less")
        elif isinstance(event, yaml.ScalarEvent) and fault is None:
            self.place_node(self.scalar(event))
        else:
            self.place_node(self.refused_scalar())

    def scalar(self, event: yaml.ScalarEvent) -> YamlScalar:
        start, end = event.start_mark, event.end_mark
        assert start is not None
        assert end is not None
        style = _STYLES[event.style or ""]
        raw = self.text[start.index : end.index]
        rest = self.text[end.index : end.index + 200].split("\n", 1)[0]
        is_cut = style == "plain" and rest.lstrip(" \t").startswith("#")
        if not _is_encodable(event.value):
            message = "this text contains half of a surrogate pair"
            mend = "write the character itself, or one `\\U` escape with eight digits"
            self.add(E_CHARACTER, message, mend)
            return self.refused_scalar()
        value: Resolved = event.value
        if style == "plain":
            value = self.resolved(event.value)
        return YamlScalar(self.place, event.value, value, style, raw, is_cut, offset=start.index)

    def refused_scalar(self) -> YamlScalar:
        return YamlScalar(self.place, "?", "?", "plain", "?", is_refused=True)

    def resolved(self, text: str) -> Resolved:
        if len(text) > NUMBER_CHARACTERS_MAX and any(form.fullmatch(text) for form in _NUMBERS):
            message = (
                f"this number has {len(text)} characters; the maximum is {NUMBER_CHARACTERS_MAX}"
            )
            self.add(E_BOUND, message, "put it in quotes if it is text")
            return text
        return resolve_plain(text)

    def place_node(self, node: YamlNode) -> None:
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.start, yaml.SequenceStartEvent):
            top.items.append(node)
        elif top.key is None:
            self.take_key(top, node)
        else:
            if not top.is_key_refused:
                top.entries.append((top.key, node))
            top.key = None

    def take_key(self, top: _Open, node: YamlNode) -> None:
        top.is_key_refused = True
        top.key = self.refused_scalar()
        if node.is_refused:
            return
        if not isinstance(node, YamlScalar):
            self.add(E_SHAPE, "a key must be text", "write `name: value`", node.place)
        elif not isinstance(node.value, str):
            shown = "empty" if node.text == "" else f"`{node.text[:40]}`"
            message = f"a key must be text, not {shown}"
            self.add(E_SHAPE, message, "put it in quotes", node.place)
        elif node.text in top.places:
            message = f"the key `{node.text[:40]}` is used twice"
            mend = f"remove one; the first use is in line {top.places[node.text].line}"
            self.add(E_KEY_REPEATED, message, mend, node.place)
        else:
            top.places[node.text] = node.place
            top.key, top.is_key_refused = node, False

    def close(self) -> None:
        top = self.stack.pop()
        place, is_flow = _place(top.start), bool(top.start.flow_style)
        # A map that lost all its keys to faults is not also reported as empty.
        is_refused = not top.entries and bool(top.is_key_refused)
        node: YamlNode = YamlMap(place, tuple(top.entries), is_flow, is_refused)
        if isinstance(top.start, yaml.SequenceStartEvent):
            node = YamlList(place, tuple(top.items), is_flow)
        self.place_node(node)

    def add(self, code: str, message: str, mend: str, place: Place | None = None) -> None:
        self.faults.append(Fault(self.file, place or self.place, code, message, mend))

    def stop(self, code: str, message: str, mend: str) -> None:
        self.add(code, message, mend)
        self.is_stopped = True


def resolve_plain(text: str) -> Resolved:
    """The value of a plain scalar. Source: YAML 1.2.2, 10.3.2 (core schema, tag resolution)."""
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text


_WORDS: Final[dict[str, Resolved]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBERS: Final = (_DECIMAL, _OTHER_BASE, _FLOAT)
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


# PyYAML gives the style as text; a plain scalar's is the empty one, or none.
_STYLES: Final[dict[str, Style]] = {"": "plain", "'": "'", '"': '"', "|": "|", ">": ">"}


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    assert mark is not None
    return Place(mark.line + 1, mark.column + 1)


def _is_encodable(text: str) -> bool:
    return not re.search("[\ud800-\udfff]", text)
