"""`seen` and `only_from` in whole programs are what their definition says, at every event.

The naive side keeps every string and looks through all of them, each time anew, with a tokeniser
of its own. Addresses are another law's (`test_addresses.py`). The program is restarted at random
places, from what it wrote, in small chunks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest

from interlock.limits import stated_time
from invariants.check.specs import read_specs
from invariants.codec import taint as state_sources
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.model.fact import Truth
from invariants.model.limits import Limits
from invariants.runtime.program import Program
from invariants.taint.tokens import hidden_texts
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.shelf import Shelf

SOURCES = ("user", "web", "mail")
TEXT = """\
version: 1
sources:
  user:
    when: kind == "message.user"
    values: text
  web:
    when: kind == "tool.completed" && args.ok
    values: result
  mail:
    when: kind == "tool.completed" && tool == "mail"
    values: '[result, args.ok ? text : error]'
predicates:
""" + "".join(
    f'  {ask}_{source}: kind == "tool.requested" && {ask}(args.v, "{source}")\n'
    for ask in ("seen", "only_from")
    for source in SOURCES
) + "invariants:\n" + "".join(
    f"  - {{id: {ask}-{source}, severity: info, never: {ask}_{source}}}\n"
    for ask in ("seen", "only_from")
    for source in SOURCES
)  # fmt: skip
WORDS = ("Bob", "bob.", "BOB", "\uff22\uff4fb", "al:x.y", "7", "7.", "a/b", "!", "é", "e\u0301")
GAPS = (" ", ", ", "\n", " (", "\t", " ... ", "=")
SETTINGS = KernelSettings(trust_ts=True)


def compiled(pairs_max: int = 200_000) -> Program:
    specs, _ = read_specs([("sources.yaml", TEXT)])
    return compile_program(specs, limits=Limits(pairs_max=pairs_max), digest_key=b"law")


@dataclass
class Naive:
    """Every string that was shown, by source, and whether for certain."""

    strings: dict[str, list[tuple[str, bool]]] = field(
        default_factory=lambda: {source: [] for source in SOURCES}
    )
    is_child: bool = False

    def expected(self, event: dict[str, Any]) -> dict[str, Truth]:
        """What each invariant of the program should say of an event; then take it in."""
        self.is_child = self.is_child or bool(event.get("parent"))
        value = event.get("args", {}).get("v")
        told = {}
        if event["kind"] == "tool.requested":
            for source in SOURCES:
                told[f"seen-{source}"] = self.seen(value, source)
                told[f"only_from-{source}"] = self.only_from(value, source)
        for source, is_certain, shown in showings(event):
            self.strings[source] += [(text, is_certain) for text in strings(shown)]
        return told

    def seen(self, value: Any, source: str) -> Truth:
        if not isinstance(value, str) or not cut(value):
            return Truth.UNKNOWN
        wanted: list[tuple[str, ...]] = [*pairwise(cut(value))] or [(cut(value)[0],)]
        return min(
            max(map(Truth, self.found(parts, source)), default=Truth.FALSE) for parts in wanted
        )

    def found(self, parts: tuple[str, ...], source: str) -> Iterator[int]:
        for text, is_certain in self.strings[source]:
            words = cut(text)
            places = range(len(words) - len(parts) + 1)
            if any(tuple(words[i : i + len(parts)]) == parts for i in places):
                yield 2 if is_certain else 1

    def only_from(self, value: Any, source: str) -> Truth:
        if self.is_child or not isinstance(value, str) or not cut(value):
            return Truth.UNKNOWN
        others = (self.seen(value, other) for other in SOURCES if other != source)
        return min([self.seen(value, source), *(Truth(2 - other) for other in others)])


def showings(event: dict[str, Any]) -> Iterator[tuple[str, bool, Any]]:
    """The definition of the three sources, by hand."""
    if event["kind"] == "message.user":
        yield "user", True, event.get("text", "")
    if event["kind"] == "tool.completed":
        is_ok = event.get("args", {}).get("ok")
        if is_ok is not False:
            yield "web", is_ok is True, event.get("result")
        if event.get("tool") == "mail" and isinstance(is_ok, bool):
            yield "mail", True, [event.get("result"), event.get("text" if is_ok else "error", "")]


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.items() for text in strings(list(item))]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def cut(text: str) -> list[str]:
    """Tokens, letter by letter."""
    words = [""]
    for letter in unicodedata.normalize("NFKC", text).lower():
        if letter.isalnum() or letter in "@._-+/:":
            words[-1] += letter
        else:
            words.append("")
    return [word.strip(".:") for word in words if word.strip(".:")]


def choose_text(random: Random) -> str:
    count = random.choice((0, 1, 1, 2, 2, 3, 5))
    return "".join(random.choice(WORDS) + random.choice(GAPS) for _ in range(count))


def choose_value(random: Random, depth: int = 2) -> Any:
    sort = random.randrange(6)
    if depth and sort == 0:
        return [choose_value(random, depth - 1) for _ in range(random.randrange(3))]
    if depth and sort == 1:
        return {choose_text(random): choose_value(random, depth - 1) for _ in range(2)}
    return random.choice((None, True, 7)) if sort == 2 else choose_text(random)


def choose_event(random: Random, number: int) -> dict[str, Any]:
    kind = random.choice(("message.user", "tool.completed", "tool.completed", "tool.requested"))
    event: dict[str, Any] = {
        "session": "s",
        "seq": number,
        "ts": stated_time(number * 10**9),
        "kind": kind,
    }
    if kind == "message.user":
        return event | {"text": choose_text(random)}
    if kind == "tool.requested":
        value = choose_text(random) if random.random() < 0.95 else 7
        event |= {"tool": "pay", "args": {"v": value}}
        return event | ({"parent": "p"} if random.random() < 0.03 else {})
    event |= {"tool": random.choice(("web", "mail")), "result": choose_value(random)}
    event |= {"text": choose_text(random), "error": choose_text(random)}
    return event | {"args": random.choice(({"ok": True}, {"ok": False}, {}, {"ok": "?"}))}


def decoded(content: dict[str, Any]) -> Event:
    event = decode_event(msgspec.json.encode(content), Origin("t", "0", content["seq"]))
    assert isinstance(event, Event)
    return event


def told_at(engine: Kernel, event: Event) -> dict[str, Truth]:
    """What each invariant says of an event; nothing is false."""
    values = {"violated": Truth.TRUE, "inconclusive": Truth.UNKNOWN}
    return {f.invariant: values[f.type] for f in engine.step(event) if f.type in values}


def test_programs_say_what_the_definition_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """At every event, with doubts, in children, and across restarts."""
    monkeypatch.setattr(state_sources, "CHUNK_ENTRIES", 4)
    assert not any(hidden_texts(word).texts for word in WORDS)
    program, counts = compiled(), dict.fromkeys(Truth, 0)
    for seed in range(max(CASES // 20, 50)):
        random, naive, shelf = Random(FIRST_SEED + seed), Naive(), Shelf()
        engine = Kernel(program, SETTINGS, shelf.load)
        for number in range(random.randrange(1, 30)):
            content = choose_event(random, number)
            told, expected = told_at(engine, decoded(content)), naive.expected(content)
            assert told == {k: v for k, v in expected.items() if v}, (FIRST_SEED + seed, content)
            for truth in expected.values():
                counts[truth] += 1
            if random.random() < 0.2:
                shelf.keep(*engine.take_changes())
                engine = Kernel(program, SETTINGS, shelf.load)
    assert min(counts.values()) > sum(counts.values()) / 20, counts


def test_a_full_memory_is_never_wrong() -> None:
    """What finds no room makes answers unknown and no answer another one; a finding says so."""
    program, is_lost_seen = compiled(pairs_max=6), False
    for seed in range(max(CASES // 40, 25)):
        random, naive = Random(FIRST_SEED + seed), Naive()
        engine, is_lost = Kernel(program, SETTINGS), False
        for number in range(25):
            content = choose_event(random, number)
            findings = engine.step(decoded(content))
            told = {f.invariant: f.type for f in findings if f.invariant}
            for invariant, truth in naive.expected(content).items():
                exact = ("", "inconclusive", "violated")[truth]
                found = told.get(invariant, "")
                assert found == exact or (is_lost and found == "inconclusive")
            is_lost = is_lost or any(f.type == "capacity" for f in findings)
        is_lost_seen = is_lost_seen or is_lost
    assert is_lost_seen
