"""The standing of a principal: its roles and attributes, as of one event.

A file of principals gives it (`monitor/principals/`), and a gate records it with each event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Standing(msgspec.Struct, frozen=True):
    """Roles and attributes by version number `version` of the file; `attributes` is JSON."""

    version: int
    roles: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = {}
