"""The door through which users' files are rewritten: as a whole, or not at all.

A temporary file next to the old one replaces it in one step, so that a crash leaves either the old
text or the new one. A symlink keeps its target; the mode stays.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replace the content of a file with `text`. Raises OSError; then nothing has changed."""
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
