"""The monitor and the agents' guards take the same control record for the standing one."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest

from interlock.control_feed import LogControlFeed
from interlock.control_record import ControlView
from monitor.topics import CONTROL
from monitor.transport.logdir.control_reader import LogDirControlReader

NOW_NS = 1_700_000_000_000_000_000
KEY = "session:s-1"


def line(state: str, issued_at: int, key: str = KEY) -> str:
    value = {"state": state, "issued_at": issued_at}
    return msgspec.json.encode({"key": key, "value": value}).decode() + "\n"


class Both:
    """A monitor's reader and an agent's feed of one directory."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / CONTROL
        self.folder.mkdir()
        self.reader = LogDirControlReader(directory, now_ns=lambda: NOW_NS)
        self.feed = LogControlFeed(self.folder, poll_s=0.01, wall_ns=lambda: NOW_NS)
        self.of_monitor, self.of_agent = ControlView(), ControlView()

    def write(self, writer: str, *lines: str) -> None:
        with (self.folder / f"{writer}-1.jsonl").open("a") as file:
            file.write("".join(lines))

    def states(self) -> tuple[str | None, str | None]:
        for key, value in self.reader.poll(0):
            self.of_monitor.apply(key, value)
        for entry in self.feed.poll(0).entries:
            self.of_agent.apply(entry.key, entry.value)
        views = self.of_monitor, self.of_agent
        seen = [None if (r := view.record(KEY)) is None else r.state for view in views]
        return seen[0], seen[1]


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def test_of_equal_times_the_more_severe_holds(both: Both) -> None:
    both.write("b", line("active", NOW_NS))
    both.write("a", line("killed", NOW_NS))
    assert both.states() == ("killed", "killed")


def test_a_writer_whose_clock_went_back_is_taken_in_its_own_order(both: Both) -> None:
    both.write("a", line("killed", NOW_NS), line("active", NOW_NS - 5))
    assert both.states() == ("active", "active")


def test_a_release_from_the_future_is_none(both: Both) -> None:
    both.write("a", line("killed", NOW_NS))
    both.write("b", line("active", NOW_NS + 10**15))
    assert both.states() == ("killed", "killed")


def test_what_comes_late_and_is_older_does_not_hold(both: Both) -> None:
    """The order is kept between readings, and not only within one."""
    both.write("a", line("killed", NOW_NS))
    assert both.states() == ("killed", "killed")
    both.write("b", line("active", NOW_NS - 5))
    assert both.states() == ("killed", "killed")


def test_a_file_that_was_put_in_anew_repeats_nothing(both: Both) -> None:
    """An old release in a file that was copied back is as old as it was."""
    both.write("a", line("active", NOW_NS - 9))
    both.write("b", line("killed", NOW_NS))
    assert both.states() == ("killed", "killed")
    path = both.folder / "a-1.jsonl"
    content = path.read_bytes()
    path.unlink()
    (both.folder / "new").write_bytes(content)
    (both.folder / "new").rename(path)
    assert both.states() == ("killed", "killed")


def test_what_is_too_long_or_no_record_is_nobodys(both: Both) -> None:
    both.write("a", line("killed", NOW_NS, KEY).replace("}}", ',"x":"' + "x" * 70_000 + '"}}'))
    both.write("b", "[]\n", '{"key":"session:s-1","value":null}\n', line("loud", NOW_NS))
    assert both.states() == (None, None)


@pytest.mark.parametrize("seed", range(30))
def test_both_agree_on_whatever_was_written(both: Both, seed: int) -> None:
    """Three writers, clocks that differ and go back, read in pieces of any size."""
    random = Random(seed)
    for _ in range(12):
        for _ in range(random.randint(0, 4)):
            state = random.choice(["active", "quarantined", "killed"])
            issued_at = NOW_NS + random.choice([-2, -1, 0, 1, 10**11])
            both.write(random.choice("abc"), line(state, issued_at))
        seen = both.states()
        assert seen[0] == seen[1]
