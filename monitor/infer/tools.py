"""Tools as a file declares them, or as calls in a trace show them.

    read_tools(content) -> ReadTools

Read are lists of tools for OpenAI, Anthropic and Google, a result of `tools/list` of MCP (also in a
log of its messages), mappings of names to descriptions and parameters, native events, and each
trace that `interlock ingest` reads. All of it was written by servers and agents: names, sizes and
depths are bounded, and a part that is not read is kept with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from interlock.limits import NAME_CHARACTERS_MAX
from monitor.infer.schemas import (
    ARGUMENTS_MAX,
    Argument,
    declared_arguments,
    used_arguments,
)
from monitor.traces.documents import documents
from monitor.traces.fields import mapping_of, text_of
from monitor.traces.formats import items, recognised
from monitor.traces.mcp_messages import FORMAT as MCP
from monitor.traces.model import Document, Format, Step, Unread

TOOLS_MAX: Final = 5_000
"""Chosen: a proposal is for a person to read; the largest known lists have some hundreds."""
UNREAD_SHOWN_MAX: Final = 20
"""Chosen: places that are kept one by one; all are counted."""
DESCRIPTION_CHARACTERS_MAX: Final = 4_000  # Chosen: of one tool; the rest is not looked at.
_LAYERS_MAX: Final = 4  # Chosen: of a log, or of groups, around a declaration.
_SCHEMAS: Final = ("inputSchema", "input_schema", "parameters", "params", "args_schema")
_CALLS: Final = frozenset({"tool.requested", "tool.completed", "tool.failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool. `annotations` are those of MCP that are truth values, such as `readOnlyHint`."""

    name: str
    arguments: tuple[Argument, ...] = ()
    description: str = ""
    annotations: Mapping[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class ReadTools:
    """All tools of a file by name. `unread`: the first parts of the file that were not read;
    `unread_count` counts all of them.
    """

    tools: dict[str, Tool] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    unread_count: int = 0

    def add(self, found: Tool | Unread, place: str) -> None:
        """Take a tool or an unread part; a tool may be known already."""
        if isinstance(found, Unread):
            self.unread_count += 1
            if len(self.unread) < UNREAD_SHOWN_MAX:
                self.unread.append(found)
        elif found.name in self.tools:
            merged = _merged(self.tools[found.name], found)
            self.tools[found.name] = replace(merged, arguments=merged.arguments[:ARGUMENTS_MAX])
            if len(merged.arguments) > ARGUMENTS_MAX:
                self.add(Unread(place, f"its tool has more than {ARGUMENTS_MAX} arguments"), place)
        elif len(self.tools) < TOOLS_MAX:
            self.tools[found.name] = found
        else:
            reason = f"it is after the first {TOOLS_MAX} tools; split the file"
            self.add(Unread(place, reason), place)


def read_tools(content: bytes) -> ReadTools:
    """Read a file. A tool that is declared or called more than once has the arguments of all."""
    read = ReadTools()
    format_ = recognised(documents(content))
    for document in documents(content):
        for found in _found(document, format_):
            read.add(found, document.place)
    return read


def _found(document: Document | Unread, format_: Format | None) -> Iterator[Tool | Unread]:
    if isinstance(document, Unread):
        yield document
        return
    if format_ is None:
        fields = mapping_of(document.value)
        is_event = text_of(fields.get("kind")) and "tools" not in fields and not _is_tool(fields)
        yield from _of_event(document) if is_event else _of_document(document)
        return
    listed = list(_listed(document.place, document.value)) if format_ is MCP else []
    yield from listed or _beside(document)
    for item in () if listed else items(format_, [document]):
        if isinstance(item, Step) and item.tool:
            yield from _called(document.place, item.tool, item.args)
        elif isinstance(item, Unread):
            yield item


def _beside(document: Document) -> Iterator[Tool | Unread]:
    """Tools that a recorder wrote beside what happened, as a request to a model has them."""
    elements = mapping_of(document.value).get("tools")
    if isinstance(elements, list) and any(_is_tool(mapping_of(one)) for one in elements):
        yield from _declared(document.place, {"tools": elements})


def _of_event(document: Document) -> Iterator[Tool | Unread]:
    """The tool of a native event; nothing of an event that is not about a tool."""
    fields = mapping_of(document.value)
    if fields["kind"] in _CALLS:
        yield from _called(document.place, fields.get("tool"), fields.get("args"))


def _of_document(document: Document) -> Iterator[Tool | Unread]:
    declared = list(_declared(document.place, document.value))
    yield from declared or [Unread(document.place, "neither a declaration of tools nor an event")]


def _listed(place: str, value: Any, layer: int = 0) -> Iterator[Tool | Unread]:
    """The tools of a response to `tools/list`, also within a line of a log."""
    fields = mapping_of(value)
    result = mapping_of(fields.get("result"))
    if "jsonrpc" in fields and isinstance(result.get("tools"), list):
        yield from _declared(place, {"tools": result["tools"]})
    elif "jsonrpc" not in fields and layer < _LAYERS_MAX:
        for inner in fields.values():
            yield from _listed(place, inner, layer + 1)


def _called(place: str, name: Any, args: Any) -> Iterator[Tool | Unread]:
    fault = _name_fault(place, name)
    if fault is not None:
        yield fault
        return
    arguments, is_whole = used_arguments(mapping_of(args))
    yield Tool(name=name, arguments=arguments)
    if not is_whole:
        yield Unread(place, "it has too many arguments, or too long a name of one")


def _declared(place: str, value: Any, layer: int = 0) -> Iterator[Tool | Unread]:
    """All tools that a document declares; nothing for another document."""
    fields = mapping_of(value)
    if _is_tool(fields):
        yield from _tools_of(place, fields)
        return
    for key in ("tools", "functionDeclarations", "function_declarations"):
        listed = fields.get(key)
        if isinstance(listed, list):
            for number, element in enumerate(listed, 1):
                yield from _tools_of(f"{place}, tool {number}", element)
            return
    if layer == _LAYERS_MAX:
        return
    has_entries = any(_is_entry(mapping_of(inner)) for inner in fields.values())
    for name, inner in fields.items():
        if has_entries:
            yield from _tools_of(f"{place}, an entry", {**mapping_of(inner), "name": name})
        else:
            yield from _declared(place, inner, layer + 1)


def _is_tool(fields: Mapping[str, Any]) -> bool:
    is_wrapped = isinstance(fields.get("function"), dict) and "type" in fields
    return is_wrapped or (
        bool(text_of(fields.get("name"))) and (_is_entry(fields) or "type" in fields)
    )


def _is_entry(fields: Mapping[str, Any]) -> bool:
    return any(isinstance(fields.get(key), dict | list) for key in _SCHEMAS)


def _tools_of(place: str, element: Any) -> Iterator[Tool | Unread]:
    fields = mapping_of(element)
    if "functionDeclarations" in fields or "function_declarations" in fields:
        yield from _declared(place, fields, _LAYERS_MAX)
        return
    if isinstance(fields.get("function"), dict):
        fields = fields["function"]
    fault = _name_fault(place, fields.get("name"))
    if fault is not None:
        yield fault
        return
    schema: Any = next((fields[key] for key in _SCHEMAS if key in fields), {})
    arguments, is_whole = declared_arguments(schema)
    hints = mapping_of(fields.get("annotations"))
    yield Tool(
        name=fields["name"],
        arguments=arguments,
        description=text_of(fields.get("description"))[:DESCRIPTION_CHARACTERS_MAX],
        annotations={key: hint for key, hint in hints.items() if isinstance(hint, bool)},
    )
    if not is_whole:
        yield Unread(place, "its schema is too large or too deep; a part was not looked at")


def _name_fault(place: str, name: Any) -> Unread | None:
    if not text_of(name):
        return Unread(place, "a tool without a name")
    if len(name) > NAME_CHARACTERS_MAX:
        return Unread(place, f"a tool's name has more than {NAME_CHARACTERS_MAX} characters")
    return None


def _merged(one: Tool, other: Tool) -> Tool:
    """Of two hints the worse one counts: another server may have a tool of the same name."""
    description = one.description
    if other.description not in description:
        description = f"{description}\n{other.description}"[-DESCRIPTION_CHARACTERS_MAX:]
    annotations = {**one.annotations, **other.annotations}
    for key in one.annotations.keys() & other.annotations.keys():
        hints = one.annotations[key], other.annotations[key]
        annotations[key] = all(hints) if key == "readOnlyHint" else any(hints)
    return Tool(
        name=one.name,
        arguments=tuple(dict.fromkeys([*one.arguments, *other.arguments])),
        description=description,
        annotations=annotations,
    )
