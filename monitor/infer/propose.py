"""Tools and the lists of the packs -> entries that the lists lack, each with its reasons.

    propose(tools, lists) -> Proposal

A sign that is strong (a name, arguments, a `destructiveHint`) makes an entry. A weak one (a word of
a description, another annotation) is shown and makes none. A tool without a strong sign, and on no
list, is *not classified*: never harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from invariants.cel.names import Matcher, named_matcher
from monitor.infer.evidence import (
    ARGUMENTS,
    EXEMPTING,
    KINDS,
    NO_DESTINATION,
    READING,
    UNCLASSIFYING,
    Kind,
)
from monitor.infer.schemas import Argument
from monitor.infer.tools import Tool
from monitor.presentation import visible

ListName = tuple[str, str]
"""A pack and a list of it."""
Lists = Mapping[ListName, Sequence[str]]

TOOLS_SHOWN_MAX: Final = 3
"""Chosen: tools that are named in the reason of an argument."""
_WORDS: Final = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A reason to take a tool for one kind. Reasons are safe to print."""

    kind: str
    reasons: tuple[str, ...]
    is_strong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One pattern for one list. `exempted_by`: a list of the same pack that takes its effect."""

    list_name: ListName
    pattern: str
    subject: str
    reasons: tuple[str, ...]
    exempted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFacts:
    """All that is known of one tool. `lists`: those of the packs that it is on, with effect.

    `is_classified` is False without a strong sign and on no list. `doubts` are sentences.
    """

    name: str
    signs: tuple[Sign, ...]
    lists: tuple[ListName, ...]
    is_classified: bool
    doubts: tuple[str, ...]


@dataclass(slots=True)
class Proposal:
    """`entries` are to be confirmed by a person; `unwritten` are names that no pattern can say."""

    tools: list[ToolFacts] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    without_effect: list[Entry] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)


def propose(tools: Iterable[Tool], lists: Lists) -> Proposal:
    """Entries for the lists given; lists of other packs are left out."""
    made = Proposal()
    of_tools = [name for name in lists if name[1].endswith(("_tools", "_shells"))]
    by_argument: dict[tuple[ListName, str], dict[str, list[str]]] = {}
    for tool in sorted(tools, key=lambda tool: tool.name):
        signs = tuple(signs_of(tool))
        strong = {sign.kind: sign for sign in signs if sign.is_strong}
        on = tuple(name for name in of_tools if is_on(lists, name, tool.name))
        made.tools.append(
            ToolFacts(
                name=tool.name,
                signs=signs,
                lists=on,
                is_classified=bool(strong) or any(name not in UNCLASSIFYING for _, name in on),
                doubts=tuple(_doubts(tool, strong, lists)),
            )
        )
        _propose_tool(tool, strong, lists, made)
        for list_name, argument, reason in _argument_signs(tool, frozenset(strong), lists):
            found = by_argument.setdefault((list_name, argument), {})
            found.setdefault(reason, []).append(tool.name)
    for (list_name, argument), reasons in by_argument.items():
        _propose_argument(list_name, argument, reasons, made)
    made.unwritten = list(dict.fromkeys(made.unwritten))
    return made


def signs_of(tool: Tool) -> Iterator[Sign]:
    """Every kind that a tool may be of."""
    for name, kind in KINDS.items():
        strong, weak = _strong(tool, kind), _weak(tool, kind)
        if strong or weak:
            yield Sign(kind=name, reasons=(*strong, *weak), is_strong=bool(strong))


def _strong(tool: Tool, kind: Kind) -> list[str]:
    sounds_like_reading = _is_named(READING, tool.name)
    reasons = []
    patterns = kind.read_names if sounds_like_reading else (*kind.names, *kind.read_names)
    found = _first(patterns, tool.name)
    if found:
        reasons.append(f"its name matches `{found}`")
    for groups in kind.arguments:
        held = [_argument_of(group, tool.arguments) for group in groups]
        if all(held):
            reasons.append("it takes " + " and ".join(f"`{visible(one, 60)}`" for one in held))
    for hint, value in kind.strong_hints.items():
        if tool.annotations.get(hint) is value:
            reasons.append(f"it says `{hint}` of itself")
    return reasons


def _weak(tool: Tool, kind: Kind) -> list[str]:
    words = set(_WORDS.findall(tool.description.lower()))
    said = next((word for word in kind.words if word in words), "")
    reasons = [f'its description says "{said}"'] if said else []
    for hint, value in kind.hints.items():
        if tool.annotations.get(hint) is value:
            reasons.append(f"it says `{hint}: {str(value).lower()}` of itself")
    return reasons


def _argument_of(patterns: Sequence[str], arguments: Sequence[Argument]) -> str:
    names = (argument.name for argument in arguments)
    return next((n for n in names if _is_named(patterns, n) and not _is_time(n)), "")


def _doubts(tool: Tool, strong: Mapping[str, Sign], lists: Lists) -> Iterator[str]:
    acting = [KINDS[kind].title for kind in strong if not kind.startswith("reads_")]
    if tool.annotations.get("readOnlyHint") and acting:
        yield f"it says `readOnlyHint` of itself, and {acting[0]}"
    known = ("origins", "known_tools")
    if "reads_untrusted" in strong and _is_named(lists.get(known, ()), tool.name):
        yield "`known_tools` of the pack `origins` trusts its output, and strangers may write it"


def _propose_tool(tool: Tool, strong: Mapping[str, Sign], lists: Lists, made: Proposal) -> None:
    wanted: dict[ListName, tuple[str, ...]] = {}
    for kind, sign in strong.items():
        for list_name in KINDS[kind].lists:
            wanted[list_name] = (*wanted.get(list_name, ()), *sign.reasons)
    for list_name, reasons in wanted.items():
        if list_name not in lists or is_on(lists, list_name, tool.name):
            continue
        pattern = pattern_of(tool.name, "**__")
        if pattern is None:
            made.unwritten.append(tool.name)
            continue
        entry = Entry(
            list_name=list_name,
            pattern=pattern,
            subject=tool.name,
            reasons=tuple(dict.fromkeys(reasons)),
            exempted_by=_exempting(lists, list_name, tool.name),
        )
        (made.without_effect if entry.exempted_by else made.entries).append(entry)


def _propose_argument(
    list_name: ListName, argument: str, reasons: Mapping[str, Sequence[str]], made: Proposal
) -> None:
    pattern = pattern_of(argument, "")
    if pattern is None:
        made.unwritten.append(argument)
        return
    made.entries.append(
        Entry(
            list_name=list_name,
            pattern=pattern,
            subject=argument,
            reasons=tuple(f"{reason}: {_some(tools)}" for reason, tools in reasons.items()),
        )
    )


def _some(tools: Sequence[str]) -> str:
    shown = ", ".join(f"`{visible(name, 60)}`" for name in tools[:TOOLS_SHOWN_MAX])
    rest = len(tools) - TOOLS_SHOWN_MAX
    return f"{shown} and {rest} more" if rest > 0 else shown


def _argument_signs(
    tool: Tool, kinds: frozenset[str], lists: Lists
) -> Iterator[tuple[ListName, str, str]]:
    """Arguments that the lists lack: list, argument, reason."""
    acts = any(not kind.startswith("reads_") for kind in kinds)
    if _is_named(READING, tool.name) and not acts:
        return
    for argument in tool.arguments:
        if _is_time(argument.name):
            continue
        for kind in ARGUMENTS.values():
            if kind.of and not kind.of & kinds:
                continue
            reason = _argument_reason(argument, kind.names, kind.choices)
            if kind.holds and argument.holds:
                reason = f"it holds {argument.holds}"
            on = any(
                _is_named(lists.get(name, ()), argument.name) for name in _SAME[kind.list_name]
            )
            if reason and not on and kind.list_name in lists:
                yield kind.list_name, argument.name, f"{kind.title}, since {reason}"
                break


_SAME: Final[Mapping[ListName, Sequence[ListName]]] = {
    ("origins", "destination_arguments"): (("origins", "destination_arguments"),),
    ("origins", "vague_arguments"): (
        ("origins", "destination_arguments"),
        ("origins", "vague_arguments"),
    ),
    ("production", "target_arguments"): (("production", "target_arguments"),),
}
"""The lists of which one suffices for an argument."""


def _argument_reason(argument: Argument, names: Sequence[str], choices: Sequence[str]) -> str:
    found = _first(names, argument.name)
    if found:
        return f"its name matches `{found}`"
    chosen = next(
        (one for one in argument.choices if len(one) < 100 and _is_named(choices, one)), ""
    )
    return f"it may be `{visible(chosen, 60)}`" if chosen else ""


def is_on(lists: Lists, list_name: ListName, name: str) -> bool:
    """True if a list has a tool, and no list of its pack takes the effect."""
    return _is_named(lists[list_name], name) and not _exempting(lists, list_name, name)


def _exempting(lists: Lists, list_name: ListName, name: str) -> str:
    others = EXEMPTING.get(list_name, ())
    return next((o for o in others if _is_named(lists.get((list_name[0], o), ()), name)), "")


def pattern_of(name: str, prefix: str) -> str | None:
    """A pattern that is this name, of any server; None if the name cannot be written as one."""
    if not name.isprintable() or set("*?") & set(name) or visible(name, len(name) + 1) != name:
        return None
    if not any(character.isalnum() for character in name):
        return None
    pattern = prefix + name
    return pattern if named_matcher([pattern])(name) else None


def _is_time(argument: str) -> bool:
    return _is_named(NO_DESTINATION, argument)


def _is_named(patterns: Sequence[str], name: str) -> bool:
    return bool(patterns) and _matcher(tuple(patterns))(name)


@lru_cache(1_024)  # Chosen: the tables of this room and the lists of the packs are some hundred.
def _matcher(patterns: tuple[str, ...]) -> Matcher:
    return named_matcher(patterns)


def _first(patterns: Sequence[str], name: str) -> str:
    """The first pattern that a name matches. Most match none: the whole list is asked first."""
    if not _is_named(patterns, name):
        return ""
    return next(pattern for pattern in patterns if _is_named((pattern,), name))
