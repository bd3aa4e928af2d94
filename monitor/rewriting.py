"""The door by which files of users are written anew: whole, or not at all.

A temporary file beside the old one takes its place in one step, so that a crash leaves the old
text or the new one. A symlink goes on pointing where it pointed; the mode stays.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Write `text` in the place of what a file holds. Raises OSError; then nothing has changed."""
    target = path.resolve(strict=True)
    mode = target.stat().st_mode & 0o7777
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
