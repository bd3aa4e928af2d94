"""The contribution of one event to the state of a session, before any model is applied.

`read(words, state, event)` returns the state after the event and an *observation*: an action that
is about to be taken, an outcome, a message, or nothing. Both are bounded, whatever the event
contains; the cost of an event depends only on its size.

The underlying question is: does the agent do what its user asked for? The values in an action's
arguments come from the user's words, from tools' results, or from neither. An agent that was
manipulated by a tool's result takes recipients, links and amounts from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from detectors.bloom import Words, holds, mix, with_numbers
from invariants.model.event import Event
from invariants.model.missing import read_json

ACTION_KINDS: Final = frozenset(
    {"tool.requested", "file.read", "file.written", "network.connected", "process.started"}
)
OUTCOME_KINDS: Final = frozenset({"tool.completed", "tool.failed"})

USER_BITMAP_BYTES: Final = 1_024
USER_NUMBERS_MAX: Final = 2_000
"""Chosen: then a word that the user did not use is taken for one with p < .16, at 500 with .02."""
RESULT_BITMAP_BYTES: Final = 4_096
RESULT_NUMBERS_MAX: Final = 8_000
"""Chosen: as for the user's. Beyond it no words are added: later words count as having no
origin.
"""
VALUES_MAX: Final = 64
"""Values of one action that are looked at."""
PARTS_MAX: Final = 512
"""Objects, lists and values of one action's arguments that are walked."""
SIGNATURES_MAX: Final = 32
CALLS_OPEN_MAX: Final = 32
SIZE_MAX: Final = 1e15
WORDS_OF_VALUE_MAX: Final = 64

_NO_ACTION: Final = 0
_ALL: Final = 0.99
_MOST: Final = 0.5

Source = int
"""The origin of a value: only the user, only results and the user, and so on."""
USER, RESULTS, MOSTLY_RESULTS, MOSTLY_USER, NEW = range(5)


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """The state of a session for reading on. About 5.5 KB, and never more than 6 KB."""

    user_words: bytes = bytes(USER_BITMAP_BYTES)
    user_count: int = 0
    result_words: bytes = bytes(RESULT_BITMAP_BYTES)
    result_count: int = 0
    previous: int = _NO_ACTION
    signatures: tuple[int, ...] = ()
    """Of the last actions, with their arguments: whether one is taken again."""
    calls: tuple[tuple[int, int], ...] = ()
    """Call and tool of requests without an outcome, if outcomes do not name their tool."""


class Value(NamedTuple):
    """One value of an action's arguments: its path as a number, and its origin."""

    path: int
    source: Source


class ObservedAction(NamedTuple):
    """An action about to be taken."""

    tool: int
    previous: int
    values: tuple[Value, ...]
    shape: int
    """Which arguments there are."""
    size: float
    """ln(1 + characters of all values)."""
    number: float
    """ln(1 + the largest number among the values), 0 if there is none."""
    results_share: float
    """The largest share of a value's words that only tools' results had; 0 to 1."""
    user_share: float
    """The smallest share of a value's words that the user had used; 0 to 1."""
    is_repeated: bool
    is_asked: bool
    """Some word of the tool's name begins as a word of the user does."""


class ObservedOutcome(NamedTuple):
    """The outcome of an action."""

    tool: int
    size: float
    """ln(1 + characters of the result)."""
    new_words: float
    """ln(1 + different words of the result that the user had not used)."""
    is_failed: bool


class ObservedMessage(NamedTuple):
    """A person wrote."""


Observation = ObservedAction | ObservedOutcome | ObservedMessage


def read(words: Words, heard: Heard, event: Event) -> tuple[Heard, Observation | None]:
    """One event; None if its kind is irrelevant to a detector."""
    kind = event.record.kind
    if kind in ACTION_KINDS:
        return _read_action(words, heard, event)
    if kind in OUTCOME_KINDS:
        return _read_outcome(words, heard, event)
    if kind == "message.user":
        return _read_message(words, heard, event), ObservedMessage()
    return heard, None


def _read_message(words: Words, heard: Heard, event: Event) -> Heard:
    text = event.record.text
    room = USER_NUMBERS_MAX - heard.user_count
    numbers = list(dict.fromkeys((*words.words(text), *words.stems(text))))[: max(room, 0)]
    return msgspec.structs.replace(
        heard,
        user_words=with_numbers(heard.user_words, numbers),
        user_count=heard.user_count + len(numbers),
    )


def _read_outcome(words: Words, heard: Heard, event: Event) -> tuple[Heard, ObservedOutcome]:
    record = event.record
    is_failed = record.kind == "tool.failed"
    text = record.error if is_failed else _text(record.result)
    found = list(dict.fromkeys(words.words(text)))
    fresh = [number for number in found if not holds(heard.user_words, number)]
    kept = found[: max(RESULT_NUMBERS_MAX - heard.result_count, 0)]
    call = words.bytes_number(record.call.encode())
    tool = words.name(record.tool) if record.tool else dict(heard.calls).get(call, _NO_ACTION)
    after = msgspec.structs.replace(
        heard,
        result_words=with_numbers(heard.result_words, kept),
        result_count=heard.result_count + len(kept),
        calls=tuple(entry for entry in heard.calls if entry[0] != call),
    )
    outcome = ObservedOutcome(tool, math.log1p(len(text)), math.log1p(len(fresh)), is_failed)
    return after, outcome


def _read_action(words: Words, heard: Heard, event: Event) -> tuple[Heard, ObservedAction]:
    record = event.record
    name = record.tool or record.kind
    tool = words.name(name)
    raw = bytes(record.args)
    values, size, number, shares = [], 0, 0.0, (0.0, 1.0)
    paths = set()
    for path, value in _values(words, _decoded(raw)):
        paths.add(path)
        text = _value_text(value)
        size += len(text)
        if isinstance(value, int | float):
            number = max(number, math.log1p(min(abs(value), SIZE_MAX)))
        of_user, of_results = _shares(words, heard, text)
        if of_user >= 0:
            values.append(Value(path, _source(of_user, of_results)))
            shares = max(shares[0], of_results), min(shares[1], of_user)
    signature = mix(tool, words.bytes_number(raw))
    stems = words.stems(name)
    action = ObservedAction(
        tool=tool,
        previous=heard.previous,
        values=tuple(values),
        shape=mix(tool, *sorted(paths)),
        size=math.log1p(size),
        number=number,
        results_share=shares[0],
        user_share=shares[1],
        is_repeated=signature in heard.signatures,
        is_asked=any(holds(heard.user_words, stem) for stem in stems),
    )
    after = msgspec.structs.replace(
        heard,
        previous=tool,
        signatures=(*heard.signatures, signature)[-SIGNATURES_MAX:],
        calls=(*heard.calls, (words.bytes_number(record.call.encode()), tool))[-CALLS_OPEN_MAX:],
    )
    return after, action


def _shares(words: Words, heard: Heard, text: str) -> tuple[float, float]:
    """The shares of a value's words that the user used, and that only results had; -1 without
    any.
    """
    numbers = words.words(text)[:WORDS_OF_VALUE_MAX]
    if not numbers:
        return -1.0, 0.0
    of_user = [holds(heard.user_words, number) for number in numbers]
    of_results = sum(
        not is_users and holds(heard.result_words, number)
        for number, is_users in zip(numbers, of_user, strict=True)
    )
    return sum(of_user) / len(numbers), of_results / len(numbers)


def _source(of_user: float, of_results: float) -> Source:
    if of_user >= _ALL:
        return USER
    if of_results >= _MOST:
        return RESULTS if of_user + of_results >= _ALL else MOSTLY_RESULTS
    return MOSTLY_USER if of_user >= _MOST else NEW


def _values(words: Words, args: Any) -> Iterator[tuple[int, Any]]:
    """Leaves of the arguments in their order, with the path of keys; lists add none to it."""
    waiting: list[tuple[int, Any]] = [(0, args)]
    values_count = 0
    for _ in range(PARTS_MAX):
        if not waiting or values_count >= VALUES_MAX:
            return
        path, part = waiting.pop()
        if isinstance(part, dict):
            inner = [(mix(path, words.name(key)), part[key]) for key in list(part)[:VALUES_MAX]]
            waiting += reversed(inner)
        elif isinstance(part, list):
            waiting += [(path, item) for item in reversed(part[:VALUES_MAX])]
        else:
            values_count += 1
            yield path, part


def _value_text(value: Any) -> str:
    """A value as the user might have written it; truth values and null are ignored."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return ""
    return str(value) if abs(value) < SIZE_MAX else "huge"


def _decoded(raw: bytes) -> Any:
    """Arguments as plain values. Decoding proved them to be JSON; absent ones are empty."""
    return read_json(raw) if raw else {}


def _text(raw: msgspec.Raw) -> str:
    """A result as text: a string unchanged, anything else as its JSON."""
    data = bytes(raw)
    if data[:1] == b'"':
        return str(msgspec.json.decode(data))
    return data.decode("utf-8", "replace")
