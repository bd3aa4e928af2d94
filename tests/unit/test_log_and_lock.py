"""Foreign text cannot forge a log line, secrets stay out, and one monitor holds a directory."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.log import FIELD_CHARACTERS_MAX, LINE_CHARACTERS_MAX, configure_log, say
from monitor.secret import Secret, keep_key, read_secret
from monitor.store.lock import StateLock

SECRET = Secret(b"hunter-2-hunter")
HOSTILE = 'a"\n{"level":"info"}\r\x1b[2J\u202e\u2028\ud800\0'


@pytest.fixture
def log_to() -> Iterator[Callable[[str], io.StringIO]]:
    handlers = []

    def open_log(form: str) -> io.StringIO:
        stream = io.StringIO()
        handlers.append(configure_log("info", form, [SECRET], stream))  # type: ignore[arg-type]
        return stream

    yield open_log
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_a_library_warns_of_is_one_line(
    log_to: Callable[[str], io.StringIO], form: str
) -> None:
    """Whatever breaks stand in its message, and with a traceback too."""
    stream = log_to(form)
    try:
        raise OSError("lost\r\nthe broker")
    except OSError:
        logging.getLogger("kafka.net").exception("closing\n%s\u2028", "the connection\n\x1b[2J")
    assert len(stream.getvalue().splitlines()) == 1
    assert "Traceback" in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "text", "auto"])
def test_hostile_text_stays_in_its_field(log_to: Callable[[str], io.StringIO], form: str) -> None:
    """One line of printable ASCII, whatever an agent called its session."""
    stream = log_to(form)
    say("warning", "finding", session=HOSTILE, count=3, share=float("nan"), none=None)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.strip().isascii()
    assert text.strip().isprintable()
    if form != "text":
        line = json.loads(text)
        assert (line["event"], line["session"], line["count"]) == ("finding", HOSTILE, 3)


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_are_replaced_whoever_logs_them(
    log_to: Callable[[str], io.StringIO], form: str
) -> None:
    """In fields, in messages and exceptions of libraries, as bytes, in lists, by a field's name."""
    stream = log_to(form)
    value = SECRET.reveal()
    say("info", "x", a=f"p={value.decode()}", b=value, c=[value], d=SECRET, password="other-one")
    try:
        raise ValueError(value.decode())
    except ValueError:
        logging.getLogger("kafka").exception("failed with %s", value)
    assert "hunter" not in stream.getvalue()
    assert "other-one" not in stream.getvalue()
    assert stream.getvalue().count("[secret]") >= 6


@pytest.mark.parametrize("form", ["json", "text"])
def test_lines_are_bounded(log_to: Callable[[str], io.StringIO], form: str) -> None:
    """A field is cut and says so; a line of many fields is cut as well, and stays readable."""
    stream = log_to(form)
    say("info", "one", text="x" * 10**6, number=10**5000)
    say("info", "many", **{f"f{n}": "\u202e" * FIELD_CHARACTERS_MAX for n in range(100)})
    one, many = stream.getvalue().splitlines()
    assert len(one) < FIELD_CHARACTERS_MAX + 500
    assert len(many) < LINE_CHARACTERS_MAX + 100
    if form == "json":
        assert json.loads(one)["text"].endswith("more characters)")
        assert json.loads(many)["is_cut"] is True


def test_levels_are_kept(log_to: Callable[[str], io.StringIO]) -> None:
    """Lines below the level are not written; libraries are heard from warnings on."""
    stream = log_to("json")
    say("debug", "quiet")
    logging.getLogger("kafka").info("chatter")
    assert stream.getvalue() == ""


def test_a_second_set_up_takes_the_place_of_the_first(
    log_to: Callable[[str], io.StringIO],
) -> None:
    """No line is written twice."""
    first, second = log_to("json"), log_to("json")
    say("info", "x")
    assert (first.getvalue(), second.getvalue().count("\n")) == ("", 1)


def test_a_secret_does_not_give_itself_away() -> None:
    """Not by printing, formatting, or pickling."""
    assert "hunter" not in f"{SECRET} {SECRET!r} {[SECRET]}"
    with pytest.raises(TypeError):
        pickle.dumps(SECRET)


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    """The final line break is not part of it."""
    path = tmp_path / "secret"
    path.write_bytes(b" k3y\r\n")
    assert read_secret("webhook.secret_file", str(path)).reveal() == b" k3y"


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read"), (b"\n", "empty"), (b"x" * 70_000, "more than")]
)
def test_files_that_hold_no_secret_are_refused(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    """The message names the setting, and nothing of what the file holds."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"webhook.secret_file.*{why}") as caught:
        read_secret("webhook.secret_file", str(path))
    assert "xxx" not in str(caught.value)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The owner's alone, the same at every start; a half-made one is thrown away."""
    path = tmp_path / "digest.key"
    path.with_suffix(".new").write_text("half")
    first = keep_key(path)
    assert len(first.reveal()) == 64
    assert keep_key(path).reveal() == first.reveal()
    assert [p.name for p in tmp_path.iterdir()] == ["digest.key"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("")
    with pytest.raises(ConfigError, match="empty"):
        keep_key(path)
    with pytest.raises(ConfigError, match="cannot be made"):
        keep_key(tmp_path / "missing" / "key")


def test_a_second_monitor_is_refused_and_told_whose_it_is(tmp_path: Path) -> None:
    """The message names the process; once that one lets go, the directory is free."""
    directory = tmp_path / "a" / "state"
    with StateLock(directory):
        with pytest.raises(ConfigError, match=f"process {os.getpid()}"):
            StateLock(directory)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "lock").stat().st_mode) == 0o600
    lock = StateLock(directory)
    lock.release()
    lock.release()


def test_a_killed_monitor_leaves_no_lock(tmp_path: Path) -> None:
    """The lock is the kernel's: it ends with its process, and needs no cleaning up."""
    code = (
        "import sys; from monitor.store.lock import StateLock; "
        "lock = StateLock(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[2]
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=f"process {holder.pid}"):
            StateLock(tmp_path)
        holder.kill()
    StateLock(tmp_path).release()


@pytest.mark.parametrize("kind", ["file in the way", "link"])
def test_an_unusable_directory_is_told(tmp_path: Path, kind: str) -> None:
    """A file where the directory should be; a link where the lock should be."""
    if kind == "link":
        (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "state").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        StateLock(tmp_path if kind == "link" else tmp_path / "state")
    assert not (tmp_path / "elsewhere").exists()
