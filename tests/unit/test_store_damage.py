"""A store that is damaged, newer, foreign, or whose writer was killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.store.records import Change, FindingFilter, OutboxLetter, Position
from monitor.store.store import Store, StoreError
from monitor.transport.base import Stream
from tests.support.rim import HandClock, WrittenScope, make_finding

EVENTS_0 = Stream("agent.events", "0")


def open_store(path: Path, *, is_read_only: bool = False) -> Store:
    return Store(path, clock=HandClock(), is_read_only=is_read_only)


def filled(path: Path) -> Path:
    store = open_store(path)
    scopes = [WrittenScope(f"s-{n}", b"h" * 50, states={"d": b"state" * 20}) for n in range(200)]
    store.commit(Change({EVENTS_0: Position(1)}, scopes=scopes, findings=[make_finding()]))
    store.close()
    return path


def alter(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    """It says which schema was met and which is read, and nothing is changed."""
    path = filled(tmp_path / "s")
    alter(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"newer Interlock.*99.*up to 2"):
        open_store(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A database that is none of ours is not written into."""
    path = tmp_path / "s"
    alter(path, "CREATE TABLE theirs (x)")
    with pytest.raises(ConfigError, match="another program"):
        open_store(path)


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    """Text where a database should be is damage, not a fresh start."""
    path = tmp_path / "s"
    path.write_text("this is no database, however long one looks at it\n" * 100)
    with pytest.raises(StoreError, match="damaged"):
        open_store(path)


@pytest.mark.parametrize("where", ["missing/s", "."])
def test_an_unusable_path_is_told(tmp_path: Path, where: str) -> None:
    """A missing directory, and a directory where the file should be."""
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_store(tmp_path / where)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link in place of the store would let somebody choose what is overwritten."""
    (tmp_path / "s").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_store(tmp_path / "s")


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_a_reader_makes_nothing(tmp_path: Path, content: bytes | None) -> None:
    """Reading where no monitor ran is refused, and leaves no file behind."""
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    with pytest.raises(ConfigError):
        open_store(tmp_path / "s", is_read_only=True)
    assert [p.name for p in tmp_path.iterdir()] == ([] if content is None else ["s"])


def test_a_broken_page_is_told(tmp_path: Path) -> None:
    """Pages overwritten with noise are found when the store is opened."""
    path = filled(tmp_path / "s")
    content = bytearray(path.read_bytes())
    assert len(content) > 8 * 4096
    content[3 * 4096 :] = b"\xa5" * (len(content) - 3 * 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        open_store(path)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE states SET state = zeroblob(length(state))", "the state of invariant d"),
        ("UPDATE states SET state = x''", "the state of invariant d"),
        ("UPDATE scopes SET header = (SELECT header FROM scopes WHERE scope = 's-2')", "header"),
    ],
)
def test_a_changed_value_is_told(tmp_path: Path, statement: str, what: str) -> None:
    """A state that is not what was written, or stands at another's place, is never used."""
    path = filled(tmp_path / "s")
    alter(path, statement)
    store = open_store(path)
    with pytest.raises(StoreError, match=f"{what}.*`s-1` is damaged"):
        store.load_scope("s-1")
    store.close()


def test_a_damaged_finding_is_told(tmp_path: Path) -> None:
    """It is not left out of the list in silence."""
    path = filled(tmp_path / "s")
    alter(path, "UPDATE findings SET json = x'7b'")
    store = open_store(path)
    with pytest.raises(StoreError, match="damaged"):
        store.findings(FindingFilter())
    store.close()


WRITER = """
import sys
from monitor.response.plan import ResponsePolicy, plan
from monitor.transport.base import Stream
from monitor.store.store import Store
from monitor.store.records import Change, Position
from tests.support.rim import HandClock, WrittenScope, make_finding

store = Store(sys.argv[1], clock=HandClock())
start = store.load_positions().get(Stream("agent.events", "0"), Position(0)).next_offset
for n in range(start + 1, start + 100_000):
    finding = make_finding(f"f-{n}")
    scopes = [WrittenScope(f"s-{i}", b"%d" % n, states={"d": b"%d" % n}) for i in range(20)]
    store.commit(Change(
        {Stream("agent.events", "0"): Position(n)},
        scopes=scopes,
        findings=[finding],
        actions=plan(finding, ResponsePolicy()),
    ))
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_batch(tmp_path: Path) -> None:
    """After SIGKILL at any moment, positions, states, findings and actions are of one batch,
    and nothing that was said to be committed is missing."""
    path = tmp_path / "s"
    for lines_count in (1, 7, 23):
        told = kill_writer(path, lines_count)
        store = open_store(path)
        offset = store.load_positions()[EVENTS_0].next_offset
        assert offset >= told
        for n in range(20):
            stored = store.load_scope(f"s-{n}")
            assert (stored.header, stored.states) == (b"%d" % offset, {"d": b"%d" % offset})
        ids = [f.id for f in store.pending_findings(10**6)]
        assert ids == [f"f-{n}" for n in range(1, offset + 1)]
        assert len(store.actions_of(ids[-1])) == 3
        store.close()


def kill_writer(path: Path, lines_count: int) -> int:
    """Start the writer, kill it after it told some commits, and return the last one it told."""
    root = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert writer.stdout is not None
    told = 0
    try:
        for _ in range(lines_count):
            told = int(writer.stdout.readline())
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
    return int(rest[-1]) if rest else told


def test_a_store_of_the_first_schema_is_taken_over(tmp_path: Path) -> None:
    """It gets the table of dead letters, keeps what it held, and is of this version then."""
    path = filled(tmp_path / "s")
    alter(path, "DROP TABLE dead_letters")
    alter(path, "PRAGMA user_version = 1")
    store = open_store(path)
    kept = len(store.findings(FindingFilter()))
    store.commit(Change(letters=[OutboxLetter("t/0@1", b"{}")]))
    assert [letter.json for _, letter in store.pending_letters(9)] == [b"{}"]
    store.close()
    assert kept > 0
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()
