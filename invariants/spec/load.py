"""Parses an invariant file's text into a `Spec`, with every fault of its shape at its place.

Input: text and the name of its file (for messages; nothing is opened here, and lists from files
come through `open_list`). Output: the author's content, with formulas parsed and CEL still as text.
`check/specs.py` resolves the names in it. Codes E201 to E217; the table is in the docstring of
`check/specs.py`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ..model.errors import Fault, Place
from ..model.source_text import SourceText
from ..yaml.faults import E_FLOW_MAP, E_NAME, E_VERSION
from ..yaml.nodes import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml
from .data_sources import read_sources
from .invariant import read_invariant
from .lists import OpenList, no_list_files, read_lists
from .meant_keys import mend_of_unknown_key
from .model import InvariantSpec, PredicateSpec, Spec
from .typed_yaml import Shape, sort_of

VERSION: Final = 1
_PARTS: Final = frozenset({"when", "with"})
_TOP_KEYS: Final = ("version", "lists", "sources", "predicates", "invariants")


class FileReading(msgspec.Struct, frozen=True):
    """The readable part of a file, its faults, and names whose definition could not be read.

    `spec` is a whole file only if `is_whole` is true; otherwise it only serves to find more faults.
    """

    spec: Spec | None
    faults: tuple[Fault, ...]
    predicates_refused: frozenset[str] = frozenset()
    sources_refused: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Was the file read without an error?"""
        return self.spec is not None and all(f.severity != "error" for f in self.faults)


def load_spec(
    text: str, file: str, open_list: OpenList = no_list_files
) -> tuple[Spec | None, list[Fault]]:
    """The spec, or None where anything in the file is wrong; and all that is wrong or doubtful."""
    reading = read_spec(text, file, open_list)
    return (reading.spec if reading.is_whole else None), list(reading.faults)


def read_spec(text: str, file: str, open_list: OpenList = no_list_files) -> FileReading:
    """As `load_spec`, keeping what could be read of a faulty file so that it can be checked too."""
    root, faults = read_yaml(text, file)
    if root is None:
        return FileReading(None, _sorted(faults) or (_empty(file),))
    shape = Shape(file, faults)
    top = shape.map_of(root, "an invariant file")
    if top is None:
        return FileReading(None, _sorted(faults))
    keys = shape.keys_of(top, "an invariant file", _TOP_KEYS, ("invariants",))
    _check_version(keys.get("version"), top, shape)
    sources, sources_refused = read_sources(keys.get("sources"), shape)
    predicates, refused = _read_predicates(keys.get("predicates"), shape)
    invariants = _read_invariants(keys.get("invariants"), shape)
    predicates = _with_patterns(predicates, invariants, shape)
    spec = Spec(
        file=file,
        lists=read_lists(keys.get("lists"), shape, open_list),
        sources=sources,
        predicates=predicates,
        invariants=invariants,
    )
    return FileReading(spec, _sorted(faults), refused, sources_refused)


def _with_patterns(
    declared: tuple[PredicateSpec, ...], invariants: tuple[InvariantSpec, ...], shape: Shape
) -> tuple[PredicateSpec, ...]:
    """The predicates of a file with those that its patterns make."""
    names = {predicate.name for predicate in declared}
    made = [(of, predicate) for of in invariants for predicate in of.predicates]
    for invariant, predicate in made:
        if predicate.name in names:
            message = f"the pattern of `{invariant.id}` makes a predicate `{predicate.name}`"
            mend = "rename the predicate or the invariant that has this name already"
            shape.add(invariant.place, E_NAME, message, mend)
        names.add(predicate.name)
    return (*declared, *(predicate for _, predicate in made))


def _sorted(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.place, fault.code)))


def _empty(file: str) -> Fault:
    return Fault(
        file, Place(), "E206", "this file is empty", "write `version: 1` and `invariants:`"
    )


def _check_version(node: YamlNode | None, top: YamlMap, shape: Shape) -> None:
    mend = f"write `version: {VERSION}`"
    if node is None:
        shape.add(top.place, E_VERSION, "this file has no `version`", mend)
    elif not isinstance(node, YamlScalar) or node.value is True or node.value != VERSION:
        message = f"`version` is {sort_of(node)}; only version {VERSION} is supported"
        shape.add(node.place, E_VERSION, message, mend)


def _read_predicates(
    node: YamlNode | None, shape: Shape
) -> tuple[tuple[PredicateSpec, ...], frozenset[str]]:
    predicates: list[PredicateSpec] = []
    refused: set[str] = set()
    top = shape.map_of(node, "`predicates`") if node is not None else None
    for key, value in top.entries if top else ():
        is_named = shape.name_of(key, "the name of a predicate")
        predicate = _read_predicate(key, value, shape)
        if predicate is None or not is_named:
            refused.add(key.text)
        else:
            predicates.append(predicate)
    if isinstance(node, YamlList):
        refused |= _names_in_list(node)
    return tuple(predicates), frozenset(refused)


def _names_in_list(node: YamlList) -> set[str]:
    """The names of predicates that are written as a list: `- p: ...` or `- name: p`."""
    entries = [entry for item in node.items if isinstance(item, YamlMap) for entry in item.entries]
    named = {value.text for _, value in entries if isinstance(value, YamlScalar)}
    return {key.text for key, _ in entries} | named


def _read_predicate(key: YamlScalar, node: YamlNode, shape: Shape) -> PredicateSpec | None:
    what = f"the predicate `{key.text}`"
    # `{when: ...}` is a map of YAML; as a map of CEL it would not be a truth value.
    names = {name.text for name, _ in node.entries} if isinstance(node, YamlMap) else set()
    parts = {name for name in names if name in _PARTS or mend_of_unknown_key(name, _PARTS, names)}
    if isinstance(node, YamlMap) and node.is_flow and parts and names - parts:
        message = f"{what} is written in `{{`, where YAML ends a value at `,` and brackets"
        mend = "write `when:` and `with:` on lines of their own, or put the expression in quotes"
        shape.add(node.place, E_FLOW_MAP, message, mend)
        return None
    if not isinstance(node, YamlMap) or (node.is_flow and not parts):
        when = shape.expression_of(node, what)
        return PredicateSpec(key.text, when, (), key.place) if when else None
    if not shape.has_value(node, what):
        return None
    faults_before = len(shape.faults)
    keys = shape.keys_of(node, what, _PARTS, ("when",))
    when = shape.expression_of(keys["when"], f"`when` of {what}") if "when" in keys else None
    values = _read_values(keys["with"], what, shape) if "with" in keys else ()
    if when is None or len(shape.faults) > faults_before:
        return None
    return PredicateSpec(key.text, when, values, key.place)


def _read_values(node: YamlNode, what: str, shape: Shape) -> tuple[tuple[str, SourceText], ...]:
    if isinstance(node, YamlMap) and node.is_flow and _is_cut(node):
        message = f"`with` of {what} is written in `{{`, where YAML ends a value at `,`"
        mend = "write a line `name: expression` for each value, or put it in quotes"
        shape.add(node.place, E_FLOW_MAP, message, mend)
        return ()
    top = shape.map_of(node, f"`with` of {what}")
    values = []
    for key, value in top.entries if top else ():
        shape.name_of(key, "the name of a value")
        source = shape.expression_of(value, f"the value `{key.text}` of {what}")
        if source is not None:
            values.append((key.text, source))
    return tuple(values)


def _is_cut(node: YamlMap) -> bool:
    """Did YAML cut an expression in `{...}`? Then a piece of it is a key without a value, or a map.

    No other cut passes: it would leave a quote or a bracket open, and CEL refuses what is left.
    """
    return bool(node.entries) and any(
        not isinstance(value, YamlScalar) or value.value is None for _, value in node.entries
    )


def _read_invariants(node: YamlNode | None, shape: Shape) -> tuple[InvariantSpec, ...]:
    items = shape.items_of(node, "`invariants`") if node is not None else None
    invariants: list[InvariantSpec] = []
    for item in items or ():
        invariant = read_invariant(item, shape)
        if invariant is not None:
            invariants.append(invariant)
    return tuple(invariants)
