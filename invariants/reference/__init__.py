"""The meaning of the language, written from its definition (docs/language.md): slow and short.

Input: an invariant as it was written, and all events of a trace so far. Output: every verdict that
the definition gives. The reference keeps no state, rewrites no formula and shares no code with the
machine, only types: the laws compare the machine with it. Read `value.py` first.
"""

from .policy import judge

__all__ = ["judge"]
