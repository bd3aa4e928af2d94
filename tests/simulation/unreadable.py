"""Records that are not events, each with what its sender wrote there: whose, which number, what.

`write` gives the bytes and an `Unreadable`: what the oracle believes is taken from here, and never
from what the monitor could read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Final

from tests.simulation.outside import Unreadable

WIPE: Final = "wipe"
Written = tuple[bytes, Unreadable]
NAMELESS: Final = Unreadable("")


def write(random: Random, session: str, seq: int) -> Written:
    """One record under this session's name, which may be its writer's or not."""
    tool = random.choice((None, WIPE))
    made: dict[str, object] = {"session": session, "seq": seq, "ts": 0, "kind": "k"}
    if tool is not None:
        made |= {"kind": "tool.requested", "tool": tool, "call": "c0"}
    return random.choice(SORTS)(random, made, Unreadable(session, seq, tool))


Sort = Callable[[Random, dict[str, object], Unreadable], Written]


def _bytes(value: bytes) -> Sort:
    return lambda random, made, named: (value, NAMELESS)


def _with(**more: object) -> Sort:
    return lambda random, made, named: (json.dumps(made | more).encode(), named)


def _cut(random: Random, made: dict[str, object], named: Unreadable) -> Written:
    return json.dumps(made).encode()[: random.randrange(5, 30)], Unreadable(
        named.session, named.seq
    )


def _not_utf8(random: Random, made: dict[str, object], named: Unreadable) -> Written:
    return json.dumps(made).encode()[:-1] + b', "text": "\xff"}', named


def _key_twice(random: Random, made: dict[str, object], named: Unreadable) -> Written:
    value = json.dumps(made).encode().replace(b'"seq"', b'"seq": 900, "seq"')
    return value, Unreadable(named.session, None, named.tool)


def _tool_too_long(random: Random, made: dict[str, object], named: Unreadable) -> Written:
    return json.dumps(made | {"tool": "x" * 600}).encode(), Unreadable(named.session, named.seq)


def _no_session(random: Random, made: dict[str, object], named: Unreadable) -> Written:
    return json.dumps(made | {"session": ""}).encode(), NAMELESS


def _too_deep(random: Random, made: dict[str, object], named: Unreadable) -> Written:
    return json.dumps(made).encode()[:-1] + b', "args":' + b"[" * 200 + b"]" * 200 + b"}", named


def _numbers(random: Random, made: dict[str, object], named: Unreadable) -> Written:
    return json.dumps(made).encode()[:-1] + b', "result":[' + b"1e308," * 1_100 + b"0]}", named


SORTS: Final[tuple[Sort, ...]] = (
    _bytes(b""),
    _bytes(b"no json"),
    _bytes(b"[1, 2]"),
    _bytes(b'{"a":' * 100_000),
    _cut,
    _not_utf8,
    _too_deep,
    _numbers,
    _with(text="x" * 1_100_000),
    _key_twice,
    _with(v=2),
    _with(ts="yesterday"),
    _with(ts=1_767_605_400),
    _with(args=[1]),
    _tool_too_long,
    _no_session,
)
