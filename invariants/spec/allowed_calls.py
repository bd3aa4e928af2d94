"""Reads the pattern `allowed_calls`: the calls that a role may make, as predicates and a formula.

Input: the pattern's YAML, and the id of its invariant. Output: predicates in CEL, whose names begin
with the id, and the formula over them (docs/language.md, Allowed calls of a role). There is no
second engine: check, image, runtime and explanations see predicates and a formula as any others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Final, Literal, NamedTuple

from ..formula.ast import Atom, Binary, Formula, Not, Term, Variable
from ..model.errors import Place
from ..model.source_text import SourceText
from ..yaml.faults import E_CHOICE, E_SHAPE
from ..yaml.nodes import YamlNode, YamlScalar
from .model import PredicateSpec
from .typed_yaml import Shape

NAME: Final = "allowed_calls"
KEYS: Final = ("role", "allow", "deny", "default", "host_arguments", "path_arguments")
ITEM_KEYS: Final = ("tools", "hosts", "paths")
ITEMS_MAX: Final = 100  # Chosen: each is a predicate, which every call is tested against.
SHOWN_CHARACTERS_MAX: Final = 300
"""Chosen: of one text that says what is allowed; a finding has it in its binding."""

HOST_ARGUMENTS: Final = (
    *("url", "urls", "uri", "uris", "href", "link", "links", "endpoint", "host", "hosts"),
    *("hostname", "domain", "server", "address", "**_url", "**_uri", "**_host", "**_endpoint"),
)
PATH_ARGUMENTS: Final = (
    *("path", "paths", "file", "files", "filename", "file_name", "folder", "directory", "dir"),
    *("source", "destination", "target", "cwd", "workdir", "working_directory"),
    *("**_path", "**_paths", "**_file", "**_dir", "**_directory"),
)
"""Chosen: the names that tools of public servers use, in any spelling (`named_any`)."""

_ROLE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_HOST: Final = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\]")
_DEFAULTS: Final[Mapping[str, Literal["allow", "deny"]]] = {"allow": "allow", "deny": "deny"}
_URL: Final = 'host(t.contains("://") ? t : "https://" + t)'
_IS_OF_THE_WEB: Final = '(!t.contains("://") || t.matches("(?i)^(https?|wss?)://"))'
"""With another scheme a URL may name a file of this machine (`file:`), or code (`javascript:`)."""


class Expanded(NamedTuple):
    """The formula of `never`, and the predicates that it is about."""

    formula: Formula
    predicates: tuple[PredicateSpec, ...]


class _Item(NamedTuple):
    """One entry of `allow` or `deny`."""

    tools: tuple[str, ...]
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    place: Place

    @property
    def is_limited(self) -> bool:
        return bool(self.hosts or self.paths)

    def text(self) -> str:
        """The calls that it is about, for people."""
        parts = [", ".join(self.tools)]
        parts += [f"to {', '.join(self.hosts)}"] if self.hosts else []
        parts += [f"within {', '.join(self.paths)}"] if self.paths else []
        return " ".join(parts)


class _Arguments(NamedTuple):
    """The names of the arguments that hold hosts and paths."""

    hosts: Sequence[str]
    paths: Sequence[str]


def read_allowed_calls(node: YamlNode, identity: str, shape: Shape) -> Expanded | None:
    """The expansion; None if a fault was reported."""
    what = f"the pattern `{NAME}`"
    top = shape.map_of(node, what)
    if top is None:
        return None
    told_before = len(shape.faults)
    keys = shape.keys_of(top, what, KEYS, ("role",))
    role = _read_role(keys["role"], what, shape) if "role" in keys else ""
    default = shape.choice_of(keys.get("default"), f"`default` of {what}", _DEFAULTS) or "deny"
    allow, deny = (_read_items(keys.get(key), f"`{key}` of {what}", shape) for key in _DEFAULTS)
    arguments = _Arguments(
        _texts(keys.get("host_arguments"), "`host_arguments`", shape) or HOST_ARGUMENTS,
        _texts(keys.get("path_arguments"), "`path_arguments`", shape) or PATH_ARGUMENTS,
    )
    if default == "allow" and "allow" in keys:
        message = f"`allow` of {what} has no effect beside `default: allow`"
        mend = "remove it, or write `default: deny`"
        shape.add(keys["allow"].place, E_SHAPE, message, mend)
    elif default == "allow" and "deny" not in keys:
        message = f"{what} allows everything"
        shape.add(top.place, E_SHAPE, message, "write `deny:`, or `default: deny`")
    if len(shape.faults) > told_before:
        return None
    base = re.sub(r"[^A-Za-z0-9]", "_", identity)
    base = f"_{base}" if base[:1].isdigit() else base
    return _expand(base, role, default, allow=allow, deny=deny, arguments=arguments, at=top.place)


def _read_role(node: YamlNode, what: str, shape: Shape) -> str:
    text = shape.text_of(node, f"`role` of {what}")
    if text is None or _ROLE.fullmatch(text.text):
        return "" if text is None else text.text
    message = f"`role` of {what} is not a name that a principal's role can have"
    shape.add(node.place, E_CHOICE, message, "write one as in the file of principals")
    return ""


def _read_items(node: YamlNode | None, what: str, shape: Shape) -> list[_Item]:
    items = shape.items_of(node, what) if node is not None else None
    if items is not None and len(items) > ITEMS_MAX:
        message = f"{what} has {len(items)} entries; the maximum is {ITEMS_MAX}"
        shape.add(items[ITEMS_MAX].place, E_SHAPE, message, "name several tools in one entry")
        return []
    return [_read_item(item, f"an entry of {what}", shape) for item in items or ()]


def _read_item(node: YamlNode, what: str, shape: Shape) -> _Item:
    top = shape.map_of(node, what)
    keys = shape.keys_of(top, what, ITEM_KEYS, ("tools",)) if top else {}
    tools = _texts(keys.get("tools"), f"`tools` of {what}", shape)
    hosts = tuple(host.lower() for host in _texts(keys.get("hosts"), f"`hosts` of {what}", shape))
    paths = _texts(keys.get("paths"), f"`paths` of {what}", shape)
    if not all(map(_HOST.fullmatch, hosts)):
        message = f"`hosts` of {what} takes `api.example.com`, `*.example.com` and `*`"
        shape.add(keys["hosts"].place, E_CHOICE, message, "write hosts without scheme and port")
    if not all(_is_folder(path) for path in paths):
        message = f"`paths` of {what} takes absolute paths of files and folders"
        mend = "write `/srv/data`, without `*`; what is below a folder is within it"
        shape.add(keys["paths"].place, E_CHOICE, message, mend)
    return _Item(tools, hosts, paths, node.place)


def _is_folder(path: str) -> bool:
    return path.startswith("/") and ".." not in path.split("/") and not set("*?\\\0") & set(path)


def _texts(node: YamlNode | None, what: str, shape: Shape) -> tuple[str, ...]:
    items = shape.items_of(node, what) if node is not None else ()
    read = [shape.text_of(item, f"an item of {what}") for item in items or ()]
    return tuple(one.text for one in read if isinstance(one, YamlScalar))


# The expansion.


def _expand(
    base: str,
    role: str,
    default: Literal["allow", "deny"],
    *,
    allow: Sequence[_Item],
    deny: Sequence[_Item],
    arguments: _Arguments,
    at: Place,
) -> Expanded:
    """`never: asks and (deny or ... or not (allow or ...))`; the last part for `default: deny`."""
    denied = [
        _predicate(f"{base}_deny_{number}", _covers_any(item, arguments), item.place)
        for number, item in enumerate(deny, 1)
    ]
    allowed = [
        _predicate(f"{base}_allow_{number}", _covers_all(item, role, arguments), item.place)
        for number, item in enumerate(allow, 1)
    ]
    faulty: list[Formula] = [Atom(one.name, (), at) for one in denied]
    values: tuple[tuple[str, SourceText], ...] = ()
    names: tuple[tuple[str, Term], ...] = ()
    if default == "deny":
        values = (("allowed", SourceText(_allowed_text(allow, deny), at)),)
        names = (("allowed", Variable("allowed")),)
        if allowed:
            faulty.append(Not(_any_of([Atom(one.name, (), at) for one in allowed])))
    when = f'kind == "tool.requested" && {_quoted(role)} in principal.roles'
    asks = PredicateSpec(f"{base}_asks", SourceText(when, at), values, at)
    formula: Formula = Atom(asks.name, names, at)
    if default == "allow" or allowed:
        formula = Binary("and", formula, _any_of(faulty))
    return Expanded(formula, (asks, *denied, *allowed))


def _any_of(formulas: Sequence[Formula]) -> Formula:
    return reduce(lambda left, right: Binary("or", left, right), formulas)


def _predicate(name: str, covers: str, place: Place) -> PredicateSpec:
    text = f'kind == "tool.requested" && {covers}'
    return PredicateSpec(name, SourceText(text, place), (), place)


def _covers_all(item: _Item, role: str, arguments: _Arguments) -> str:
    """An allow covers a call if it names the tool exactly, and all hosts and paths of the call, of
    which there is one. If the roles are unknown, so is that: no allow is for an unknown principal.
    """
    parts = [f"glob_any({_list(item.tools)}, tool)", f"{_quoted(role)} in principal.roles"]
    for names, test in _limits(item, arguments):
        named = f"named_any({_list(names)}, k)"
        parts.append(f"args.exists(k, {named} && size(texts(args[k])) > 0)")
        also = f"{_IS_OF_THE_WEB} && " if names is arguments.hosts else ""
        parts.append(f"args.all(k, !{named} || texts(args[k]).all(t, {also}{test}))")
    return " && ".join(parts)


def _covers_any(item: _Item, arguments: _Arguments) -> str:
    """A deny covers a call if it names the tool in any spelling, and a host and a path of it."""
    parts = [f"named_any({_list(item.tools)}, tool)"]
    for names, test in _limits(item, arguments):
        named = f"named_any({_list(names)}, k)"
        parts.append(f"args.exists(k, {named} && texts(args[k]).exists(t, {test}))")
    return " && ".join(parts)


def _limits(item: _Item, arguments: _Arguments) -> list[tuple[Sequence[str], str]]:
    limits: list[tuple[Sequence[str], str]] = []
    if item.hosts:
        limits.append((arguments.hosts, f"glob_any({_list(item.hosts)}, {_URL})"))
    if item.paths:
        limits.append((arguments.paths, f"{_list(item.paths)}.exists(p, path_within(t, p))"))
    return limits


def _allowed_text(allow: Sequence[_Item], deny: Sequence[_Item]) -> str:
    """CEL for what would be allowed: the tool's own allows, else all tools.

    It reads the tool alone, so that it has a value whatever the arguments are.
    """
    tools = list(dict.fromkeys(tool for item in allow for tool in item.tools))
    limited = [item.text() for item in deny if item.is_limited]
    but = f"; denied: {'; '.join(limited)}" if limited else ""
    chain = _quoted(_cut((", ".join(tools) or "nothing") + but))
    for item in reversed([item for item in allow if item.is_limited]):
        same = [one.text() for one in allow if set(one.tools) & set(item.tools)]
        shown = _quoted(_cut("; ".join(same) + but))
        chain = f"glob_any({_list(item.tools)}, tool) ? {shown} : {chain}"
    for item in reversed([item for item in deny if not item.is_limited]):
        shown = _quoted(_cut(f"nothing; denied: {item.text()}"))
        chain = f"named_any({_list(item.tools)}, tool) ? {shown} : {chain}"
    return chain


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    """A text as a literal of CEL; its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
