"""Data memories across restarts, changes of the program and of the key, and beyond what fits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from invariants.check.specs import read_specs
from invariants.codec.state import StateError
from invariants.codec.taint import CHUNK_ENTRIES
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.model.limits import Limits
from invariants.runtime.program import Program
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.support.shelf import Shelf

TEXT = """\
version: 1
sources:
  user:
    when: kind == "message.user"
    values: text
  web:
    when: kind == "tool.completed"
    values: result
predicates:
  paid: kind == "tool.requested" && only_from(args.to, "web")
invariants:
  - {id: stranger, severity: critical, on_unknown: report, never: paid}
"""
SETTINGS = KernelSettings(trust_ts=True)
LETTERS = str.maketrans("0123456789", "abcdefghij")
"""Words with digits leave more keys behind than words and pairs."""


def program(
    text: str = TEXT, *, keys: tuple[bytes, ...] = (b"one",), pairs_max: int = 5_000
) -> Program:
    specs, _ = read_specs([("sources.yaml", text)])
    return compile_program(specs, limits=Limits(pairs_max=pairs_max), fingerprint_keys=keys)


def make(seq: int, kind: str, session: str = "s", **more: Any) -> Event:
    content = {"session": session, "seq": seq, "ts": seq, "kind": kind, **more}
    event = decode_event(msgspec.json.encode(content), Origin("t", "0", seq))
    assert isinstance(event, Event)
    return event


def shows(seq: int, text: str, session: str = "s") -> Event:
    return make(seq, "tool.completed", session, tool="get", args={}, result=text)


def pays(seq: int, to: str, session: str = "s") -> Event:
    return make(seq, "tool.requested", session, tool="pay", args={"to": to})


def told(engine: Kernel, event: Event) -> list[str]:
    return [finding.type for finding in engine.step(event)]


def restarted(engine: Kernel, shelf: Shelf, given: Program) -> Kernel:
    shelf.keep(*engine.take_changes())
    return Kernel(given, SETTINGS, shelf.load)


def test_a_restart_remembers_and_writes_only_what_grew() -> None:
    """Chunks that are full are written once."""
    shelf = Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    engine.step(shows(0, " ".join(f"w{n}".translate(LETTERS) for n in range(CHUNK_ENTRIES))))
    first, _ = engine.take_changes()
    shelf.keep(first)
    engine = restarted(engine, shelf, program())
    engine.step(shows(1, "mallory"))
    second, _ = engine.take_changes()
    shelf.keep(second)
    chunks = [len([k for k in c.states if k.count("/") == 3]) for c in (*first, *second)]
    assert chunks == [2, 1]
    engine = Kernel(program(), SETTINGS, shelf.load)
    assert told(engine, pays(2, "mallory")) == ["violated"]
    assert told(engine, pays(3, "wh wi")) == ["violated"]
    assert told(engine, pays(4, "wh wj")) == []


def test_a_session_goes_on_under_its_own_key() -> None:
    """The newest key is for new sessions; where the old one is gone, nothing is known, aloud."""
    shelf = Shelf()
    engine = Kernel(program(keys=(b"old",)), SETTINGS, shelf.load)
    engine.step(shows(0, "mallory"))
    engine = restarted(engine, shelf, program(keys=(b"new", b"old")))
    assert told(engine, pays(1, "mallory")) == ["violated"]
    engine.step(shows(2, "eve"))
    engine.step(shows(0, "trent", session="t"))
    engine = restarted(engine, shelf, program(keys=(b"new",)))
    assert told(engine, pays(3, "eve")) == ["inconclusive"]
    assert told(engine, pays(1, "trent", session="t")) == ["violated"]


def test_a_source_that_is_new_has_not_seen_a_session_that_runs() -> None:
    """What it did not see, it does not call unseen; sessions that begin later are whole."""
    shelf = Shelf()
    engine = Kernel(program(TEXT.replace("message.user", "message.system")), SETTINGS, shelf.load)
    engine.step(shows(0, "mallory"))
    engine = restarted(engine, shelf, program())
    assert told(engine, pays(1, "mallory")) == ["inconclusive"]
    engine = restarted(engine, shelf, program())
    assert told(engine, pays(2, "mallory")) == ["inconclusive"]
    engine.step(shows(0, "mallory", session="t"))
    assert told(engine, pays(1, "mallory", session="t")) == ["violated"]


def test_a_session_without_anything_shown_is_remembered_as_such() -> None:
    """Nothing shown is another thing than nothing known."""
    shelf = Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    engine.step(make(0, "agent.thought"))
    engine = restarted(engine, shelf, program())
    engine.step(shows(1, "mallory"))
    assert told(engine, pays(2, "mallory")) == ["violated"]


def test_a_child_stays_one_across_a_restart() -> None:
    """Any event with a `parent` makes the session a child, from that event on."""
    shelf = Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    engine.step(shows(0, "mallory"))
    assert told(engine, pays(1, "mallory")) == ["violated"]
    engine.step(make(2, "agent.thought", parent="p"))
    engine = restarted(engine, shelf, program())
    assert told(engine, pays(3, "mallory")) == ["inconclusive"]


def test_a_memory_of_which_a_part_is_gone_is_an_error() -> None:
    """Never a clean slate."""
    shelf = Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    engine.step(shows(0, " ".join(f"w{n}".translate(LETTERS) for n in range(CHUNK_ENTRIES))))
    engine = restarted(engine, shelf, program())
    del shelf.states["s"][next(name for name in shelf.states["s"] if name.endswith("/1"))]
    with pytest.raises(StateError, match="data memory cannot be read"):
        engine.step(pays(1, "wb"))


def test_a_full_source_is_told_once() -> None:
    """With its name; from then on what it does not know is unknown."""
    engine = Kernel(program(pairs_max=3), SETTINGS)
    (finding,) = engine.step(shows(0, "a b c d"))
    assert finding.type == "capacity" and "`web`" in finding.detail
    assert told(engine, shows(1, "e f")) == []
    assert told(engine, pays(2, "mallory")) == ["inconclusive"]


def test_a_full_source_stays_full_across_a_restart() -> None:
    """What found no room before is not unseen afterwards."""
    shelf, small = Shelf(), program(pairs_max=3)
    engine = Kernel(small, SETTINGS, shelf.load)
    engine.step(shows(0, "a b c d"))
    engine = restarted(engine, shelf, small)
    assert told(engine, pays(1, "mallory")) == ["inconclusive"]


def test_memories_leave_memory_when_all_together_are_too_large() -> None:
    """The scope untouched for longest goes first, and comes back from the store."""
    shelf = Shelf()
    settings = KernelSettings(trust_ts=True, pairs_in_memory_max=50)
    engine = Kernel(program(), settings, shelf.load)
    for number in range(20):
        name = f"mallory{number}".translate(LETTERS)
        engine.step(shows(0, f"{name} and a few other words", session=f"s{number}"))
        shelf.keep(*engine.take_changes())
    assert engine.scopes_count == 4
    for number in range(20):
        name = f"mallory{number}".translate(LETTERS)
        assert told(engine, pays(1, name, session=f"s{number}")) == ["violated"]
        shelf.keep(*engine.take_changes())
    assert engine.scopes_count == 4


def test_files_that_declare_the_same_source_share_its_memory() -> None:
    """A source is known by its meaning, and not by its name or its file."""
    other = TEXT.replace("user:", "people:").replace("stranger", "again")
    specs, _ = read_specs([("a.yaml", TEXT), ("b.yaml", other)])
    both = compile_program(specs)
    assert [source.name for source in both.session.sources] == ["user", "web"]
    engine = Kernel(both, SETTINGS)
    engine.step(shows(0, "mallory"))
    assert told(engine, pays(1, "mallory")) == ["violated", "violated"]


def test_an_invariant_is_another_one_with_other_sources() -> None:
    """Its digest names all that its verdicts depend on: the sources that it asks, by meaning."""
    digests = {
        program(text).invariants[0].digest
        for text in (
            TEXT,
            TEXT.replace("values: text", "values: text + agent"),
            TEXT.replace('"message.user"', '"message.system"'),
            TEXT.replace('only_from(args.to, "web")', 'seen(args.to, "web")'),
        )
    }
    assert len(digests) == 4
    assert program(keys=(b"x",)).digest == program(keys=(b"y",)).digest


def test_what_a_client_left_out_of_a_result_may_have_been_shown() -> None:
    """It published the beginning of what a tool said: a stranger's account may stand further on."""
    engine = Kernel(program(), SETTINGS)
    assert told(engine, shows(0, "the beginning")) == []
    assert told(engine, pays(1, "stranger")) == []
    omitted = {"interlock_result_length": 100_000}
    cut = make(2, "tool.completed", tool="get", args={}, result="more", attributes=omitted)
    assert told(engine, cut) == ["capacity"]
    assert told(engine, pays(3, "stranger")) == ["inconclusive"]
