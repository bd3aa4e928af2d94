"""Readers of MCP that are not strict, each in its own way, as servers in other languages are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Call = tuple[str, str]
"""A tool, and its arguments as JSON with sorted keys."""


def calls_read(stream: bytes) -> set[Call]:
    """All calls that some reader finds in what was written to a server."""
    text = stream.decode("utf-8", "replace")
    lines = [text.split("\n"), text.splitlines(), text.replace("\r", "\n").split("\n")]
    return {call for cut in lines for line in cut for call in _in_line(line)}


def as_call(tool: str, args: Any) -> Call:
    """A call in the form in which readers find it."""
    return tool, json.dumps(args, sort_keys=True)


def _in_line(line: str) -> Iterator[Call]:
    for is_last in (True, False):
        for is_folded in (True, False):
            yield from _calls(_read(line, is_last=is_last, is_folded=is_folded), is_folded)


def _read(line: str, *, is_last: bool, is_folded: bool) -> Any:
    """JSON in which the last or the first of equal keys counts; keys of JSON-RPC in any case."""

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        ordered = pairs if is_last else pairs[::-1]
        return {_known(key) if is_folded else key: value for key, value in ordered}

    try:
        return json.loads(line.lstrip("\ufeff"), object_pairs_hook=made)
    except (ValueError, RecursionError):
        return None


def _known(key: str) -> str:
    folded = key.strip().casefold()
    return folded if folded in ("jsonrpc", "id", "method", "params", "name", "arguments") else key


def _calls(message: Any, is_folded: bool) -> Iterator[Call]:
    for one in message if isinstance(message, list) else [message]:
        if not isinstance(one, dict) or not isinstance(one.get("method"), str):
            continue
        method = one["method"].strip().casefold() if is_folded else one["method"]
        params = one.get("params")
        if method == "tools/call" and isinstance(params, dict):
            yield as_call(str(params.get("name")), params.get("arguments") or {})
