"""The copy of the image beside the state: used when nothing has changed, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from invariants.model.errors import SpecError
from invariants.model.limits import DEFAULT_LIMITS, Limits
from monitor.authoring import files as invariant_files
from monitor.service import program_image
from monitor.service.program_image import IMAGE_FILE

FILE = """\
version: 1
lists:
  hosts: {file: hosts.txt}
predicates:
  away: kind == "tool.requested" && !(args.host in lists.hosts)
invariants:
  - {id: stays, severity: info, never: away}
"""


class Start:
    """Starts with one state directory; counts those that read the invariant files."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.state = folder / "rules", folder / "state"
        self.folder.mkdir()
        self.state.mkdir()
        self.file, self.hosts = self.folder / "a.yaml", self.folder / "hosts.txt"
        self.file.write_text(FILE)
        self.hosts.write_text("here\n")
        self.reads_count = 0
        read = invariant_files.read_specs

        def counted(*locations: Path, **more: Any) -> Any:
            self.reads_count += 1
            return read(*locations, **more)

        monkeypatch.setattr(invariant_files, "read_specs", counted)

    def digest(self, limits: Limits = DEFAULT_LIMITS) -> str:
        return program_image.program_image([self.folder], limits, self.state).digest


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    return Start(tmp_path, monkeypatch)


def test_a_second_start_reads_the_copy(start: Start) -> None:
    assert start.digest() == start.digest()
    assert start.reads_count == 1
    assert (start.state / IMAGE_FILE).stat().st_mode & 0o777 == 0o600


def test_any_change_of_a_file_is_seen(start: Start) -> None:
    """Of an invariant file, of a list that it names, of the files that a folder has."""
    digests = [start.digest()]
    start.hosts.write_text("here\nthere\n")
    digests.append(start.digest())
    start.file.write_text(FILE.replace("tool.requested", "tool.completed"))
    digests.append(start.digest())
    more = start.folder / "b.yaml"
    more.write_text(FILE.replace("stays", "stays-too"))
    digests.append(start.digest())
    more.unlink()
    assert start.digest() == digests[2]
    assert len(set(digests)) == 4
    assert start.reads_count == 5


def test_other_limits_and_other_code_make_another_image(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    start.digest()
    start.digest(Limits(slices_max=1))
    start.digest(Limits(slices_max=1))
    assert start.reads_count == 2
    monkeypatch.setattr(program_image, "_code_digest", lambda: b"of another release")
    start.digest(Limits(slices_max=1))
    assert start.reads_count == 3


def test_a_faulty_file_is_refused_whatever_the_copy_says(start: Start) -> None:
    start.digest()
    start.file.write_text("version: 1\ninvariants: 3\n")
    with pytest.raises(SpecError):
        start.digest()
    start.file.write_text(FILE)
    start.hosts.unlink()
    with pytest.raises(SpecError):
        start.digest()


@pytest.mark.parametrize("wrong", [b"", b"\x93", b"not an image", bytes(1_000)])
def test_a_damaged_copy_is_made_anew(start: Start, wrong: bytes) -> None:
    good = start.digest()
    (start.state / IMAGE_FILE).write_bytes(wrong)
    assert start.digest() == good
    assert start.digest() == good
    assert start.reads_count == 2


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_strange_copy_is_made_anew(start: Start, part: int) -> None:
    """Lists in lists without end, behind it or in its image, and a file that cannot exist."""
    good, path = start.digest(), start.state / IMAGE_FILE
    code, origins, image = msgspec.msgpack.decode(path.read_bytes())
    endless = b"\x91" * 100_000
    strange = (
        b"\x94" + path.read_bytes()[1:] + endless,
        msgspec.msgpack.encode([code, origins, image[:20] + endless]),
        msgspec.msgpack.encode([code, [*origins, ["a\0b", b"", True]], image]),
    )
    path.write_bytes(strange[part])
    assert start.digest() == good
    assert start.reads_count == 2


def test_a_changed_image_in_the_copy_is_not_believed(start: Start) -> None:
    """A byte of its content, wherever: the digest of the image finds it."""
    good = start.digest()
    path = start.state / IMAGE_FILE
    data = path.read_bytes()
    place = data.index(b"stays")
    path.write_bytes(data[:place] + b"x" + data[place + 1 :])
    assert start.digest() == good
    assert start.reads_count == 2


def test_without_room_for_a_copy_the_program_runs(start: Start) -> None:
    (start.state / IMAGE_FILE).mkdir()
    assert start.digest() == start.digest()
    assert start.reads_count == 2
