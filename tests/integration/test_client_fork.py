"""Real forks, real ends of processes: what a child does not take from its parent, and keeps."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock import Client, ClientOptions, Killed, Refused, Session
from tests.support.control_writer import ControlWriter, published

# Python 3.12 warns of any fork beside threads; forking beside threads is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@contextlib.contextmanager
def ended(child: Callable[[], None]) -> Iterator[int]:
    """Fork; the child runs `child` and leaves by `os._exit`; its exit code must be 0."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child()
            code = 0
        finally:
            os._exit(code)
    yield pid
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def by_session(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        grouped.setdefault(event["session"], []).append(event)
    return grouped


def test_a_forked_session_goes_on_as_a_child_session(tmp_path: Path) -> None:
    """Parent and child write files of their own, numbers of their own, and nothing twice."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    session = client.session("origin")
    for n in range(100):
        session.emit("before", attributes={"n": n})

    def child() -> None:
        assert client.stats().published == 0
        session.emit("in.child")
        assert client.flush(10)

    with ended(child):
        session.emit("in.parent")
    client.close()
    sessions = by_session(published(tmp_path))
    parent_events = sessions.pop("origin")
    (child_events,) = sessions.values()
    assert [e["seq"] for e in parent_events] == list(range(103))
    assert [e["kind"] for e in child_events] == ["session.started", "in.child"]
    assert [e["seq"] for e in child_events] == [0, 1]
    assert {e["parent"] for e in child_events} == {"origin"}
    assert len(list((tmp_path / "agent.events").iterdir())) == 2


def test_a_fork_in_the_middle_of_a_call_tells_both_ends(tmp_path: Path) -> None:
    """The child's session begins with its start, not with the outcome of the parent's call."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    session = client.session("origin")
    is_child: list[bool] = []

    def fork_within() -> int:
        pid = os.fork()
        is_child.append(pid == 0)
        return pid

    pid = session.call("t", fork_within)
    if is_child[0]:
        os._exit(0 if client.flush(10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    client.close()
    sessions = by_session(published(tmp_path))
    parent_kinds = [e["kind"] for e in sessions.pop("origin")]
    (child_events,) = sessions.values()
    assert parent_kinds == ["session.started", "tool.requested", "tool.completed", "session.ended"]
    assert [e["kind"] for e in child_events] == ["session.started", "tool.completed"]
    assert [e["parent"] for e in child_events] == ["origin", "origin"]


def test_what_waits_in_the_parent_is_not_sent_by_the_child(tmp_path: Path) -> None:
    """With a long linger all waits at the fork; each event comes once."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False, linger_ms=500))
    session = client.session("origin")
    for _ in range(20):
        session.emit("before")
    assert client.stats().waiting_events == 21

    def child() -> None:
        client.close()

    with ended(child):
        client.close()
    ids = [(e["session"], e["seq"]) for e in published(tmp_path)]
    assert sorted(ids) == [("origin", n) for n in range(22)]


def test_a_session_that_is_not_started_is_not_shared_either(tmp_path: Path) -> None:
    """Workers forked from one prepared session do not all start it."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    session = client.session("prepared")

    def child() -> None:
        session.emit("work")
        assert client.flush(10)

    with ended(child), ended(child):
        session.emit("work")
    client.close()
    sessions = by_session(published(tmp_path))
    assert len(sessions) == 3
    assert all([e["seq"] for e in events][:2] == [0, 1] for events in sessions.values())


def test_forks_while_all_threads_publish_neither_hang_nor_mix(tmp_path: Path) -> None:
    """Whatever lock another thread held at the fork, the child can publish and leave."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False, linger_ms=0))
    session = client.session("origin")
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            session.call("t", lambda: 1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()

    def child() -> None:
        session.call("t", lambda: 2)
        assert client.flush(10)

    for _ in range(10):
        with ended(child):
            pass
    is_over.set()
    for thread in threads:
        thread.join()
    client.close()
    sessions = by_session(published(tmp_path))
    assert len(sessions) == 11
    for events in sessions.values():
        assert [e["seq"] for e in events] == list(range(len(events)))


def test_a_kill_reaches_forked_children(tmp_path: Path) -> None:
    """The record that names the session stops its forked child, before and after the fork."""
    control = ControlWriter(tmp_path)
    control.beat()
    client = Client(f"log:{tmp_path}")
    session = client.session("origin")
    session.guard("t")

    def killed_later() -> None:
        session.guard("t")
        control.put("session:origin", "killed")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                session.guard("t")
            except Killed:
                return
            time.sleep(0.001)
        raise AssertionError("the kill was not seen in the child")

    with ended(killed_later):
        pass
    deadline = time.monotonic() + 10
    with pytest.raises(Killed):
        while time.monotonic() < deadline:
            session.guard("t")
            time.sleep(0.001)

    def killed_before() -> None:
        with contextlib.suppress(Refused):
            session.guard("t")
            raise AssertionError("the child forgot that its parent was killed")

    with ended(killed_before):
        pass
    client.close()


_kept: list[Session] = []
"""A session that nobody holds any more is not ended by the end of the process."""


def _work(directory: str) -> None:
    session = Client(f"log:{directory}", ClientOptions(control=False, linger_ms=200)).session(
        "pooled"
    )
    session.call("t", lambda: 1)
    _kept.append(session)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_multiprocessing_child_delivers_before_it_ends(tmp_path: Path, method: str) -> None:
    """Such children end without `atexit`, and still nothing that waited is lost."""
    context: Any = multiprocessing.get_context(method)
    worker = context.Process(target=_work, args=(str(tmp_path),))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    assert [e["kind"] for e in published(tmp_path)] == [
        "session.started", "tool.requested", "tool.completed", "session.ended",
    ]  # fmt: skip


SCRIPT = """
import sys
from interlock import Client, ClientOptions
client = Client("log:" + sys.argv[1], ClientOptions(control=False, linger_ms=100))
session = client.session("script")
session.call("t", lambda: 1)
{end}
"""


@pytest.mark.parametrize(("end", "code"), [("", 0), ("sys.exit(3)", 3), ("raise ValueError", 1)])
def test_a_script_that_ends_delivers_first(tmp_path: Path, end: str, code: int) -> None:
    """Without any closing the end of the interpreter ends the session and delivers."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(end=end), str(tmp_path)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert [e["kind"] for e in published(tmp_path)][-1] == "session.ended"
    assert len(published(tmp_path)) == 4


def test_a_process_that_is_killed_leaves_whole_lines(tmp_path: Path) -> None:
    """What was written before a SIGKILL is readable, in order, from 0 on."""
    script = SCRIPT.format(end="while True: session.call('t', lambda: 1)")
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and len(_whole_lines(tmp_path)) < 500:
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    events = [msgspec.json.decode(line) for line in _whole_lines(tmp_path)]
    assert len(events) >= 500
    assert [e["seq"] for e in events] == list(range(len(events)))


def _whole_lines(directory: Path) -> list[bytes]:
    data = b"".join(p.read_bytes() for p in (directory / "agent.events").glob("*.jsonl"))
    return data.split(b"\n")[:-1]


def test_importing_the_client_loads_nothing_heavy() -> None:
    """Neither Kafka nor asyncio nor any other package of ours, and `interlock` alone nothing."""
    code = (
        "import sys, interlock\n"
        "light = {m for m in sys.modules if m.startswith('interlock.')}\n"
        "from interlock import Client, ClientOptions, guard, guarded\n"
        "heavy = {'kafka', 'asyncio', 'monitor', 'invariants', 'multiprocessing'}\n"
        "print(sorted(light), sorted(heavy & sys.modules.keys()), callable(guard))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[] [] True"
