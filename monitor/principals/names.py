"""Names, roles and numbers in a file of principals, wherever they stand in it."""

from __future__ import annotations

import re
from typing import Final

from invariants.formula.tokens import show_text
from invariants.model.fact import ELEMENTS_MAX
from invariants.spec.typed_yaml import Shape
from invariants.yaml.nodes import YamlList, YamlNode, YamlScalar

E_NAME: Final = "P102"
E_STANDING: Final = "P104"
ROLES_MAX: Final = ELEMENTS_MAX
"""As many as an invariant reads of a list: more would be unknown at every event."""
OF_UID: Final = re.compile(r"uid-[0-9]+")
"""The gate's names for users of the machine that no principal claims."""
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_NAME_MEND: Final = "a name has at most 100 ASCII letters, digits, `.`, `_` and `-`"


def check_name(node: YamlScalar, what: str, shape: Shape) -> bool:
    """True for a name; else the fault is noted."""
    if _NAME.fullmatch(node.text):
        return True
    message = f"{show_text(node.text)} is not a valid name of {what}"
    shape.add(node.place, E_NAME, message, _NAME_MEND)
    return False


def read_roles(node: YamlNode, what: str, shape: Shape) -> tuple[str, ...]:
    """A list of roles, which may be empty."""
    if isinstance(node, YamlList) and not node.items:
        return ()
    items = shape.items_of(node, what) or ()
    if len(items) > ROLES_MAX:
        message = f"{what} has {len(items)} entries, and the maximum is {ROLES_MAX}"
        shape.add(node.place, E_STANDING, message, "use fewer, wider roles")
        return ()
    roles: list[str] = []
    for item in items:
        if not isinstance(item, YamlScalar):
            shape.add(item.place, E_NAME, f"an entry of {what} is not a name", _NAME_MEND)
        elif check_name(item, "a role", shape):
            if item.text in roles:
                message = f"{what} lists `{item.text}` twice"
                shape.add(item.place, E_STANDING, message, "remove one")
            roles.append(item.text)
    return tuple(roles)


def whole_number(node: YamlNode) -> int | None:
    """The number that a scalar writes; None if it writes something else."""
    value = node.value if isinstance(node, YamlScalar) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
