"""The tools that a server lists: their exact names, and the hints that it gives about them.

Hints are what the server says about itself. They are carried as attributes, so that an invariant
may forbid by them; none of them permits anything. Over the time of a connection they only become
stricter: a server that calls a tool harmless, and changed its mind, stays harmful.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..limits import NAME_CHARACTERS_MAX
from .message import Unreadable, folded

TOOLS_MAX: Final = 10_000
"""Chosen: far more than a model can be given; further ones have no hints."""
_LOOSE: Final = frozenset({"readOnlyHint", "idempotentHint"})
_HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_USUAL: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}\Z")
"""Source: the Model Context Protocol, names of tools."""


class Tools:
    """Of one server; `server` is the name that the user gives it, or `""`."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._hints: dict[str, dict[str, bool]] = {}
        self._folded: dict[str, str] = {}

    def named(self, tool: str) -> str:
        """The name in events.

        Examples
        --------
        >>> Tools("github").named("create_issue"), Tools("").named("create_issue")
        ('mcp__github__create_issue', 'create_issue')
        """
        return f"mcp__{self._server}__{tool}" if self._server else tool

    def note(self, result: object) -> None:
        """Take in the result of `tools/list`; what is not as the protocol says is left out."""
        listed = result.get("tools") if isinstance(result, dict) else None
        for tool in listed if isinstance(listed, list) else []:
            name = tool.get("name") if isinstance(tool, dict) else None
            if not isinstance(name, str) or len(name) > NAME_CHARACTERS_MAX:
                continue
            if name in self._hints or len(self._hints) < TOOLS_MAX:
                self._folded.setdefault(folded(name), name)
                self._hints[name] = _stricter(self._hints.get(name), tool.get("annotations"))

    def checked(self, name: str) -> str:
        """The name of a tool, if it is the one by which invariants know the tool.

        Raises
        ------
        Unreadable
            A server that is not strict could take it for another tool's.
        """
        if name in self._hints:
            return name
        if (listed := self._folded.get(folded(name))) is not None:
            raise Unreadable(f"the server lists the tool as `{listed}`; use exactly this name")
        if not _USUAL.match(name):
            raise Unreadable(
                "the name of the tool has characters that names do not have, and the server has "
                "not listed it; list the tools first"
            )
        return name

    def attributes(self, tool: str) -> dict[str, object]:
        """The attributes of a call's events."""
        found: dict[str, object] = {"mcp_server": self._server} if self._server else {}
        if hints := self._hints.get(tool):
            found["mcp_annotations"] = hints
        return found


def _stricter(known: Mapping[str, bool] | None, annotations: object) -> dict[str, bool]:
    """The hints of a tool, joined with those that were known: the stricter of both."""
    stated = annotations if isinstance(annotations, dict) else {}
    given = {name: stated[name] for name in _HINTS if isinstance(stated.get(name), bool)}
    if known is None:
        return given
    joined: dict[str, bool] = {}
    for name in _HINTS:
        found = [hints[name] for hints in (known, given) if name in hints]
        if name in _LOOSE:
            # Said once and not the other time: that it is harmless is in doubt.
            if found and not (len(found) == 1 and found[0]):
                joined[name] = all(found)
        elif found:
            joined[name] = any(found)
    return joined
