"""The libraries of the extra `gate`: a command that needs one says so before it begins."""

from __future__ import annotations

from importlib.util import find_spec

from invariants.model.errors import ConfigError


def require_library(name: str, needing: str) -> None:
    """ConfigError, which begins with `needing`, if a library is not installed."""
    if find_spec(name) is None:
        raise ConfigError(f"{needing} {name}; install it with `pip install 'interlock[gate]'`")
