"""Which files a folder of invariants holds: none is left out silently, and none is read twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.authoring.files import examine
from monitor.authoring.paths import spec_paths

FILE = """\
version: 1
predicates: {{p: kind == "x"}}
invariants:
  - {{id: {id}, severity: info, never: p}}
"""


def written(path: Path, id_: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FILE.format(id=id_))
    return path


def ids(folder: Path) -> list[str]:
    specs, faults = examine(folder)
    assert faults == []
    return [invariant.id for spec in specs for invariant in spec.invariants]


def test_linked_folders_are_read(tmp_path: Path) -> None:
    """An invariant behind a link was not watched, and nothing said so."""
    written(tmp_path / "shared" / "deep" / "b.yml", "b")
    written(tmp_path / "rules" / "a.yaml", "a")
    (tmp_path / "rules" / "team").symlink_to(tmp_path / "shared")
    assert ids(tmp_path / "rules") == ["a", "b"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A link to a folder above is not followed for ever, and no file is read twice for it."""
    written(tmp_path / "a.yaml", "a")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    assert spec_paths(tmp_path) == [tmp_path / "a.yaml"]


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    """Kubernetes links `a.yaml` to `..data/a.yaml`, and `..data` to a folder with a date."""
    written(tmp_path / "..2026_01_31" / "a.yaml", "a")
    (tmp_path / "..data").symlink_to("..2026_01_31")
    (tmp_path / "a.yaml").symlink_to(Path("..data") / "a.yaml")
    assert spec_paths(tmp_path) == [tmp_path / "a.yaml"]
    assert ids(tmp_path) == ["a"]


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """The rest of the folder alone would be fewer invariants than somebody believes.

    Here its path is too long, which stops everybody; rights would not stop root.
    """
    written(tmp_path / "a.yaml", "a")
    name = "d" * 250
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with pytest.raises(ConfigError, match=r"cannot be read.*would not be watched"):
        spec_paths(tmp_path)


def test_a_dangling_link_is_a_fault(tmp_path: Path) -> None:
    """A file that is named and not there is told; it is not an empty one."""
    written(tmp_path / "a.yaml", "a")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "gone.yaml")
    _, faults = examine(tmp_path)
    assert [fault.code for fault in faults] == ["E201"]


def test_several_paths_are_read_together(tmp_path: Path) -> None:
    """Each file once, though it lies in a folder that is named too; ids are compared across all."""
    first = written(tmp_path / "a.yaml", "a")
    written(tmp_path / "rules" / "b.yaml", "b")
    specs, faults = examine(first, tmp_path / "rules", tmp_path)
    assert faults == []
    assert [i.id for spec in specs for i in spec.invariants] == ["a", "b"]
    specs, faults = examine(first, written(tmp_path / "other.yaml", "a"))
    assert (specs, [fault.code for fault in faults]) == ([], ["E403"])
