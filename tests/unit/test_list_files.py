"""Lists that stand in a file of their own, one item a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.authoring.files import examine

TEXT = """version: 1
lists:
  blocked: {{file: {name}}}
predicates:
  p: kind == "tool.requested" && tool in lists.blocked
invariants:
  - id: a
    severity: warning
    never: p
"""


def _examine(folder: Path, name: str) -> tuple[list[tuple[str, ...]], list[str]]:
    (folder / "rules.yaml").write_text(TEXT.format(name=name))
    specs, faults = examine(folder / "rules.yaml")
    return [spec.lists["blocked"] for spec in specs], [str(fault) for fault in faults]


def test_items_are_lines(tmp_path: Path) -> None:
    """Blank lines, comments and repeats are left out; white space around an item too."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "hosts.txt").write_text("# blocked\nshell.run\r\n\n  pay \npay\n# end")
    lists, faults = _examine(tmp_path, "sub/hosts.txt")
    assert (lists, faults) == ([("shell.run", "pay")], [])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.txt", None, "there is no file `absent.txt`"),
        ("../outside.txt", "x", "is outside the folder"),
        ("/etc/hostname", None, "is outside the folder"),
        ("empty.txt", "# nothing\n\n", "its file is empty"),
        ("text.txt", b"\xff\xfe", "is not UTF-8"),
        ("long.txt", "\n".join(map(str, range(100_001))), "the maximum is 100000"),
        (".", None, "there is no file `.`"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: str | bytes | None, said: str) -> None:
    """A file that cannot be had, that lies elsewhere, or that says nothing, is a fault."""
    folder = tmp_path / "rules"
    folder.mkdir()
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
    lists, faults = _examine(folder, name)
    assert not lists
    assert len(faults) == 1
    assert said in faults[0]


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    """A link inside the folder is followed before the folder is asked."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("token")
    (folder / "list.txt").symlink_to(tmp_path / "secret.txt")
    lists, faults = _examine(folder, "list.txt")
    assert not lists
    assert "outside" in faults[0]
    assert "token" not in faults[0]
