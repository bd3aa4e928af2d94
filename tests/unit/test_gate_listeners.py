"""Sockets that a gate opens: where it refuses to, and what is left behind."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.gate_server.address import LoopbackAddress, UnixAddress
from monitor.gate_server.listeners import open_listener


def _open(path: Path, stack: ExitStack, group: str | None = None) -> socket.socket:
    return open_listener(UnixAddress(str(path)), 0o640, group, stack)


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o722])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """Unless it is sticky: there only owners replace files."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with ExitStack() as stack:
        with pytest.raises(ConfigError, match="other users may replace"):
            _open(folder / "s", stack)
        folder.chmod(mode | 0o1000)
        _open(folder / "s", stack)


def test_the_file_has_its_mode_from_the_start_and_goes_at_the_end(tmp_path: Path) -> None:
    """Another file that has taken its place stays."""
    path = tmp_path / "s"
    with ExitStack() as stack:
        before = os.umask(0)
        os.umask(before)
        _open(path, stack)
        assert path.stat().st_mode & 0o777 == 0o640
        assert os.umask(before) == before, "the process keeps its own"
    assert not path.exists()
    with ExitStack() as stack:
        _open(path, stack)
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    """A killed gate leaves its file behind."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with ExitStack() as stack:
        _open(path, stack)
        with pytest.raises(ConfigError, match="another process listens"), ExitStack() as other:
            _open(path, other)
        assert path.exists()


def test_links_and_files_are_not_touched(tmp_path: Path) -> None:
    """Whatever they lead to."""
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale"))
    (tmp_path / "link").symlink_to(tmp_path / "stale")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with ExitStack() as stack, pytest.raises(ConfigError, match="is not a socket"):
            _open(tmp_path / name, stack)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "stale").exists()


def test_an_unknown_group_leaves_nothing(tmp_path: Path) -> None:
    """The message names the setting."""
    with ExitStack() as stack, pytest.raises(ConfigError, match="socket_group"):
        _open(tmp_path / "s", stack, "no-such-group-here")
    assert not (tmp_path / "s").exists()


def test_a_port_that_is_taken_is_refused() -> None:
    """With another proposed."""
    with ExitStack() as stack:
        first = open_listener(LoopbackAddress("127.0.0.1", 0), 0, None, stack)
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match="choose another"):
            open_listener(LoopbackAddress("127.0.0.1", port), 0, None, stack)
