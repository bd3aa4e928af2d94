"""Laws of what is written and read: the client's events, and repeats of events."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from interlock.event_json import arguments, draft
from interlock.json_values import PLACEHOLDER_KEY
from interlock.limits import (
    NAME_CHARACTERS_MAX,
    RECORD_BYTES_MAX,
    stated_time,
)
from invariants.model import missing
from invariants.model.event import Event, Origin
from invariants.taint.event_view import ABSENT_ARGS, EventView
from monitor.ingest.decode import decode_event

ORIGIN = Origin("t", "0", 0)


class Hostile:
    """A value whose every question is answered by an error."""

    def __repr__(self) -> str:
        raise AssertionError("a secret")

    __str__ = __repr__

    @property
    def __class__(self) -> Any:
        raise RuntimeError("not even its class")

    @__class__.setter
    def __class__(self, value: Any) -> None: ...

    def __len__(self) -> int:
        raise ValueError("no length")

    def __iter__(self) -> Iterator[object]:
        raise KeyError("no items")


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError("the type answers nothing")


class Nameless(metaclass=Meta):
    pass


class Lying(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "\ud800"

    def __len__(self) -> int:
        return 10**12


class Odd(int):
    def bit_length(self) -> int:
        return 1

    def __int__(self) -> int:
        return 10**5_000


class Colour(enum.Enum):
    RED = object()


class Model:
    def model_dump(self) -> object:
        return self


class Broken(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise RuntimeError("gone")

    def __iter__(self) -> Iterator[str]:
        return iter(["a", "b"])

    def __len__(self) -> int:
        return 2


@dataclasses.dataclass
class Point:
    x: object


class Renamed:
    __module__ = 7  # type: ignore[assignment]


Renamed.__qualname__ = "\ud800" * 300


def cyclic() -> object:
    loop: dict[str, object] = {"a": []}
    loop["b"] = [loop, loop]
    return loop


def nested(depth: int, leaf: object, sort: int) -> object:
    for level in range(depth):
        leaf = (leaf,) if sort == 0 else {"k": leaf} if sort == 1 or level % 2 else [leaf]
    return leaf


ODD: dict[str, Callable[[], object]] = {
    "hostile": lambda: Hostile(),
    "hostile type": lambda: Nameless,
    "nameless": lambda: Nameless(),
    "renamed": lambda: Renamed(),
    "renamed type": lambda: Renamed,
    "model of itself": lambda: Model(),
    "broken mapping": lambda: Broken(),
    "enum": lambda: Colour.RED,
    "function": lambda: print,
    "object": object,
    "cycle": cyclic,
    "placeholder": lambda: {PLACEHOLDER_KEY: "x"},
    "long": lambda: "x" * 10**6,
    "wide": lambda: dict.fromkeys(range(30_000)),
    "too many": lambda: [[{}]] * 70_000,
    "reals": lambda: [1.5] * 16_000,
    "more reals": lambda: [0.1] * 40_000,
    "extremes": lambda: [1e308] * 300,
    "more extremes": lambda: (5e-324,) * 1_100,
    "long numbers": lambda: [10**300] * 600,
}
"""Made when they are drawn: what prints strategies could not print these."""

Maker = Callable[[], Any]
"""Makes a value within the test: nothing else can bear to handle hostile ones."""


def made(strategy: st.SearchStrategy[Any], make: Callable[[Any], object] = lambda v: v) -> Any:
    """Makers of what is drawn."""
    return strategy.map(lambda value: lambda: make(value))


def many(makers: list[Maker]) -> Maker:
    return lambda: [make() for make in makers]


def pairs(makers: list[tuple[Maker, Maker]]) -> Maker:
    return lambda: {key(): value() for key, value in makers}


odd_texts = st.text(alphabet=st.characters(categories=["Cs", "Cc", "Lu"]), max_size=4)
scalars = st.one_of(
    made(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))),
    made(st.one_of(odd_texts, st.binary(max_size=8))),
    made(st.integers(1_000, 20_000), lambda bits: 2**bits),
    made(st.text(max_size=3), Lying),
    made(st.integers(), Odd),
    made(st.sampled_from(sorted(ODD)), lambda name: ODD[name]()),
)
keys = st.one_of(
    made(st.one_of(st.text(max_size=6), st.integers(), st.none(), st.booleans())),
    made(st.one_of(odd_texts, st.tuples(st.integers()))),
    made(st.sampled_from([100, 100_000]), lambda length: "k" * length),
    made(st.integers(), Odd),
    made(st.text(max_size=3), Lying),
    made(st.just(PLACEHOLDER_KEY)),
)
chains = st.tuples(st.integers(0, 130), scalars, st.integers(0, 2)).map(
    lambda drawn: lambda: nested(drawn[0], drawn[1](), drawn[2])
)
values = st.recursive(
    st.one_of(scalars, chains),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(many),
        st.lists(st.tuples(keys, inner), max_size=4).map(pairs),
        inner.map(lambda make: lambda: Point(make())),
    ),
    max_leaves=5,
)
maps = st.lists(st.tuples(keys, values), max_size=4).map(pairs)
names = st.text(max_size=NAME_CHARACTERS_MAX).filter(str.isprintable)
clocks = st.one_of(
    st.integers(-10, 2**64),
    st.builds(lambda power, factor: 10**power * factor, st.integers(8, 19), st.integers(1, 10)),
)


def published(now_ns: int = 10**18, **fields: Any) -> Event:
    """An event as the client writes it and the monitor reads it."""
    value = draft(**fields).numbered("s-1", 7, now_ns)
    assert len(value) <= RECORD_BYTES_MAX
    event = decode_event(value, ORIGIN)
    assert isinstance(event, Event), event.detail
    return event


@given(
    make_args=st.one_of(
        made(st.none()),
        maps,
        made(st.just("a"), lambda _: Broken()),
        made(st.integers(2_000, 3_000), lambda count: {str(n): object() for n in range(count)}),
    ),
    make_result=values,
    make_attributes=st.one_of(made(st.none()), maps),
    text=st.one_of(st.text(), st.just("\x00" * 10**6), st.just("\udfff")),
    error=st.one_of(st.text(), st.just("\x01" * 10**5)),
    name=names,
    now_ns=clocks,
)
def test_whatever_the_client_writes_the_monitor_reads(
    make_args: Maker,
    make_result: Maker,
    make_attributes: Maker,
    text: str,
    error: str,
    name: str,
    now_ns: int,
) -> None:
    """One record of the limits, that is an event; and each argument is there, or is missing."""
    args = make_args()
    told = None if args is None else arguments(args)
    event = published(
        now_ns,
        kind="tool.completed",
        identity=dict.fromkeys(("agent", "user", "tenant", "parent"), name),
        tool=name,
        call=name,
        args=told,
        result=make_result(),
        text=text,
        error=error,
        attributes=make_attributes(),
    )
    view = EventView(event)
    assert event.ts_ns == min(max(now_ns, 0), 2**63 - 1)
    given_names = {key for key in args if type(key) is str} if isinstance(args, dict) else set()
    assert view.args is ABSENT_ARGS or given_names <= view.args.keys()
    assert view.args is not ABSENT_ARGS or told is None or told.json is None
    if told is not None and (told.lost or told.json is None):
        assert not view.left_out.is_nothing


@given(values)
def test_a_result_is_told_or_missing(make: Maker) -> None:
    """What is not published is `MISSING` at its place, and no placeholder reaches a predicate."""
    result = make()
    event = published(kind="tool.completed", identity={}, result=[result])
    view = EventView(event)
    told = json.dumps(view.result, default=repr) if view.result is not missing.MISSING else ""
    is_own = isinstance(result, dict | list | Point)
    assert PLACEHOLDER_KEY not in told or is_own or result == {PLACEHOLDER_KEY: "x"}
    if isinstance(result, float) and not math.isfinite(result):
        assert view.result == [missing.MISSING]
        assert view.left_out.has_placeholders


def test_both_sides_mean_the_same_by_their_constants() -> None:
    """`invariants` imports nothing of the client: what they share stands in both."""
    assert PLACEHOLDER_KEY.encode() == missing.PLACEHOLDER_KEY
    from interlock import limits

    assert limits.DIGITS_MAX == missing.DIGITS_MAX


# Repeats.

FIELDS = ("agent", "user", "tenant", "tool", "call", "error", "text", "parent")
whole_numbers = st.integers(-(2**64), 2**64)
numbers = st.one_of(
    whole_numbers, st.floats(allow_nan=False, allow_infinity=False), st.builds(lambda: 10**5_000)
)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
objects = st.dictionaries(st.text(max_size=3), plain, max_size=3)
records = st.fixed_dictionaries(
    {
        "session": st.sampled_from(["s", "t"]),
        "seq": st.integers(0, 3),
        "ts": st.sampled_from([5, 1_500_000_000, 1_767_225_600_000_000_000]),
        "kind": st.sampled_from(["tool.requested", "x"]),
    },
    optional={
        "id": st.sampled_from(["s/1", "i"]),
        "args": objects,
        "result": plain,
        "attributes": objects,
        **{name: st.sampled_from(["", "a"]) for name in FIELDS},
    },
)


@dataclasses.dataclass
class Number:
    """A number, or text, with one spelling."""

    value: object


def written(value: Any, random: Any) -> str:
    """A JSON value in one of its spellings."""
    if isinstance(value, Number):
        return json.dumps(value.value)
    if isinstance(value, dict):
        pairs = [f"{written(k, random)}: {written(v, random)}" for k, v in value.items()]
        random.shuffle(pairs)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + " ,".join(written(item, random) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=random.random() < 0.5)
    if type(value) is int and value >= 10**4_400:
        return "1" + "0" * 5_000
    if type(value) is int and abs(value) < 2**53 and random.random() < 0.5:
        return random.choice([f"{value}.0", f"{value}.00e0", f"{value}.0E+0", f"{value}e-0"])
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return random.choice([str(int(value)), repr(float(value))])
    return json.dumps(value)


def spelt(record: dict[str, Any], random: Any) -> bytes:
    """A record in one of its spellings."""
    record = dict(record)
    record.setdefault("id", f"{record['session']}/{record['seq']}")
    if record["id"] == f"{record['session']}/{record['seq']}" and random.random() < 0.5:
        del record["id"]
    choices: dict[str, list[Any]] = {
        "v": [1, None],
        "result": [record.get("result")] if record.get("result") is not None else ["null", None],
        "attributes": [record["attributes"]] if record.get("attributes") else [{}, None],
        **{name: [record[name]] if record.get(name) else ["", None] for name in FIELDS},
    }
    for name, possible in choices.items():
        record.pop(name, None)
        chosen = random.choice(possible)
        if chosen is not None:
            record[name] = None if chosen == "null" and name == "result" else chosen
    if isinstance(record["ts"], int):
        stated = stated_time(record["ts"])
        text = {1_767_225_600_000_000_000: "2026-01-01T02:00:00.0+02:00", 5: None}.get(record["ts"])
        record["ts"] = text if text is not None and random.random() < 0.5 else stated
    if random.random() < 0.3:
        record["unknown key"] = random.randrange(10)
    # Only within a part are `1` and `1.0` the same; `seq` is a whole number.
    stated = {n: Number(v) if n in ("seq", "ts", "v") else v for n, v in record.items()}
    return written(stated, random).encode()


def decoded(value: bytes, principal: str = "") -> Event:
    event = decode_event(value, ORIGIN, principal=principal)
    assert isinstance(event, Event), (event.detail, value)
    return event


@given(records, st.randoms(use_true_random=False))
def test_two_spellings_of_one_event_are_a_repeat(record: dict[str, Any], random: Any) -> None:
    """Digests are equal for events that are equal after parsing."""
    assert decoded(spelt(record, random)).digest == decoded(spelt(record, random)).digest


@given(records, records, st.randoms(use_true_random=False))
def test_two_events_that_differ_are_no_repeat(
    one: dict[str, Any], other: dict[str, Any], random: Any
) -> None:
    """Digests are equal for these alone; most differ in one field, which one may lack."""
    if random.random() < 0.8:
        name = random.choice(sorted(one.keys() | other.keys()))
        value, other = other.get(name), dict(one)
        other.pop(name, None)
        other |= {} if value is None else {name: value}
        assume({"session", "seq", "ts", "kind"} <= other.keys())
    first, second = decoded(spelt(one, random)), decoded(spelt(other, random))
    assert (first.digest == second.digest) == (meaning(first) == meaning(second))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"args": {}', ""),
        ('"args": {"cc": null}', '"args": {}'),
        ('"args": {"n": 1}', '"args": {"n": "1"}'),
        ('"args": {"n": 1}', '"args": {"n": true}'),
        ('"args": {"n": 1e309}', '"args": {"n": 1e310}'),
        ('"args": {"n": [1, 2]}', '"args": {"n": [2, 1]}'),
        ('"result": ""', ""),
        ('"result": {}', '"result": []'),
        ('"attributes": {"a": null}', ""),
        ('"agent": "a"', '"user": "a"'),
    ],
)
def test_contents_that_look_alike_are_no_repeat(one: str, other: str) -> None:
    """Each of these pairs was once, or could be, taken for one content."""
    start = '{"session":"s","seq":1,"ts":5,"kind":"tool.requested","id":"i"'
    contents = [decoded((start + "," * bool(part) + part + "}").encode()) for part in (one, other)]
    assert contents[0].digest != contents[1].digest


def meaning(event: Event) -> str:
    """All that a predicate could read of an event, numbers out of range by their texts."""
    record = event.record
    parts = [
        json.loads(
            bytes(raw).decode(),
            parse_int=lambda text: text if len(text) > 4_300 else number(int(text)),
            parse_float=lambda text: number(float(text)),
        )
        if bytes(raw)
        else empty
        for raw, empty in ((record.args, None), (record.result, None), (record.attributes, {}))
    ]
    seq = None if record.seq is msgspec.UNSET else record.seq
    names = [getattr(record, name) for name in FIELDS]
    told = [event.id, record.session, seq, event.ts_ns, record.kind, *names, *parts]
    return json.dumps(told, sort_keys=True)


def number(value: float) -> object:
    """Numbers that are equal to predicates have one text."""
    is_readable = -(2**63) <= value < 2**63
    return ["int", int(value)] if is_readable and value == int(value) else ["n", repr(value)]


def test_the_sender_belongs_to_what_is_repeated() -> None:
    """Another principal's copy is not a repeat."""
    value = b'{"session":"s","seq":1,"ts":1,"kind":"x"}'
    assert decoded(value, "alice").digest != decoded(value, "bob").digest
    assert decoded(value, "alice").digest == decoded(value, "alice").digest
