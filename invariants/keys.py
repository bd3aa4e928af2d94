"""Shared by the memories: the keys of their slices, and the grounds of a truth value."""

from __future__ import annotations

from collections.abc import Callable

from .core import Cells, Env, Node
from .fact import Value
from .moment import Moment
from .verdict import EventRef

Key = tuple[Value | None, ...]
"""The values of a memory's own variables, in the order of its slots."""

Because = Callable[[Node, Moment, Cells, Env], tuple[EventRef, ...]]
"""Earlier events that a formula's value rests on, at the event at hand (`witness.because`)."""


def key_of(env: Env, slots: tuple[int, ...]) -> Key:
    """The part of a binding that is the key of a memory's slices."""
    return tuple([env[slot] for slot in slots])
