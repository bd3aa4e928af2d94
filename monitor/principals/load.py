"""The door to a file of principals: a path -> `Principals`, or all faults of the file."""

from __future__ import annotations

from pathlib import Path

from invariants.model.errors import ConfigError
from invariants.yaml.nodes import TEXT_BYTES_MAX

from .model import Principals
from .parse import parse_principals


def load_principals(path: str) -> Principals:
    """The principals of a file.

    Raises
    ------
    ConfigError
        The file cannot be read, or has faults: one line for each.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(TEXT_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise ConfigError(f"`principals`: `{path}` {reason}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a usable path"
        raise ConfigError(f"`principals`: `{path}` cannot be read: {reason}") from None
    return parse_principals(text, path)
