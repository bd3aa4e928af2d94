"""A log from which something is missing: a gate does not start without a part of the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.config.gate import GateSettings
from tests.support.gate import GateHere

POST = {"url": "https://outside.example/"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[GateHere]:
    gate = GateHere(tmp_path)
    yield gate
    gate.close()


def log_file(here: GateHere) -> Path:
    (path,) = (here.folder / "log" / "interlock.gate").glob("*-1.jsonl")
    return path


def killed_log(here: GateHere) -> tuple[Path, list[bytes]]:
    """The log of a gate that was killed behind its last checkpoint, and its records."""
    here.ask("search", session="s-0")
    here.gate.tick()
    here.read_secret()
    here.ask("search")
    here.ask("search", session="s-0")
    here.kill()
    path = log_file(here)
    return path, path.read_bytes().splitlines(keepends=True)


def check_refused(here: GateHere, path: Path, text: str) -> None:
    """The start is refused with the place and the mend; with the whole log it succeeds."""
    with pytest.raises(ConfigError, match=text) as refused:
        here.reopen()
    assert path.name in str(refused.value) and "restore the log" in str(refused.value)
    here.kill()


def check_goes_on(here: GateHere, path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines))
    here.reopen()
    assert here.ask("http.post", args=POST).decision == "deny", "the secret is known"


@pytest.mark.parametrize("is_synced", [False, True])
def test_records_that_were_cut_off_are_missed(tmp_path: Path, is_synced: bool) -> None:
    """Whole records behind the checkpoint, so that nothing in the log itself shows it."""
    here = GateHere(tmp_path, settings=GateSettings(sync=is_synced))
    path, lines = killed_log(here)
    for count in range(3, len(lines)):
        path.write_bytes(b"".join(lines[:count]))
        check_refused(here, path, f"before the last record .*, byte {len(b''.join(lines))}")
    path.write_bytes(lines[0])
    check_refused(here, path, "ends before its state does")
    check_goes_on(here, path, lines)
    here.close()


def test_a_file_that_was_removed_is_missed(here: GateHere) -> None:
    """The last one, although the log looks whole without it; and one between two others."""
    _, _ = killed_log(here)
    here.reopen()
    here.ask("search")
    here.kill()
    (last,) = log_file(here).parent.glob("*-2.jsonl")
    content = last.read_bytes()
    last.unlink()
    check_refused(here, last, "ends before the last record")
    third = last.with_name(last.name.replace("-2.", "-3."))
    third.write_bytes(content)
    check_refused(here, last, "lacks the file")
    third.unlink()
    check_goes_on(here, last, [content])


@pytest.mark.parametrize(
    ("change", "number", "expected"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], 2, 1),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], 2, 1),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], 1, 2),
    ],
    ids=["removed", "swapped", "copied"],
)
def test_records_that_were_changed_are_missed(
    here: GateHere,
    change: Callable[[list[bytes]], list[bytes]],
    number: int,
    expected: int,
) -> None:
    """The numbers of each session are consecutive; those of others need not be whole."""
    path, lines = killed_log(here)
    changed = change(lines)
    # Another session's long record in its place: the size alone would not show it.
    path.write_bytes(b"".join(changed) + b" " * len(b"".join(lines)) + b"\n")
    text = f"session `s-1` goes on with number {number}, and {expected} is next"
    check_refused(here, path, text)
    check_goes_on(here, path, lines)


def test_a_torn_last_record_was_never_answered(here: GateHere) -> None:
    """A kill in the midst of a write leaves it."""
    path, lines = killed_log(here)
    check_goes_on(here, path, [*lines, lines[-1][:20]])


@pytest.mark.parametrize("is_synced", [False, True])
def test_a_power_cut_may_take_the_end_of_a_log_that_is_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_synced: bool
) -> None:
    """It is documented; the start after it must not need a person. With `sync` it cannot be."""
    here = GateHere(tmp_path, settings=GateSettings(sync=is_synced))
    path, lines = killed_log(here)
    path.write_bytes(b"".join(lines[:-1]))
    (tmp_path / "boot").write_text("another boot")
    monkeypatch.setattr("monitor.gate.end_mark.BOOT_FILE", tmp_path / "boot")
    if is_synced:
        check_refused(here, path, "before the last record")
    else:
        here.reopen()
        assert here.ask("http.post", args=POST).decision == "deny"
        assert here.ask("search", session="s-0").seq == 2, "the number that was lost"
    here.close()


def test_a_machine_that_does_not_name_its_boot_has_another_one_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark then proves nothing, and must refuse nothing."""
    monkeypatch.setattr("monitor.gate.end_mark.BOOT_FILE", tmp_path / "none")
    here = GateHere(tmp_path)
    path, lines = killed_log(here)
    path.write_bytes(b"".join(lines[:-1]))
    here.reopen()
    here.close()
