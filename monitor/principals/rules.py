"""The rules of one version of a file of principals: of approvals, exceptions and break-glass."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Final, NamedTuple

from invariants.formula.durations import format_duration, meant_duration
from invariants.formula.parser import parse_span
from invariants.model.errors import Place, SpecError
from invariants.model.event import SECOND_NS
from invariants.model.standing import Standing
from invariants.spec.typed_yaml import Shape
from invariants.yaml.nodes import YamlNode, YamlScalar

from .model import (
    APPROVERS_DEFAULT,
    EXPIRES_NS_DEFAULT,
    ApprovalRules,
    ExceptionRules,
    ExceptionSort,
)
from .names import read_roles, whole_number

E_APPROVALS: Final = "P105"
E_EXCEPTIONS: Final = "P106"

APPROVERS_MAX: Final = 10
_DAY_NS: Final = 86_400 * SECOND_NS
_PUBLIC_KEY: Final = re.compile(r"ed25519:([A-Za-z0-9+/]{43}=)")
"""32 bytes. Source: RFC 8032, 5.1.5; RFC 4648, 4."""


class _Span(NamedTuple):
    """A duration that a key holds, and its bounds."""

    within: str
    key: str
    code: str
    least_ns: int
    most_ns: int
    default_ns: int


_EXPIRES: Final = _Span(
    "approvals", "expires", E_APPROVALS, SECOND_NS, 7 * _DAY_NS, EXPIRES_NS_DEFAULT
)
_LONGEST: Final[Mapping[ExceptionSort, _Span]] = {
    "exception": _Span(
        "exceptions", "longest", E_EXCEPTIONS, 60 * SECOND_NS, 90 * _DAY_NS, 7 * _DAY_NS
    ),
    "break-glass": _Span(
        "break_glass", "longest", E_EXCEPTIONS, 60 * SECOND_NS, 3_600 * SECOND_NS, 900 * SECOND_NS
    ),
}
"""Chosen: an exception for longer than a quarter is a rule, and belongs into the invariant. A gate
that is open for more than an hour has no watch on it."""


def read_approvals(
    node: YamlNode, standings: Mapping[str, Standing], shape: Shape
) -> ApprovalRules:
    """The rules of approvals of one version."""
    top = shape.map_of(node, "`approvals`")
    if top is None:
        return ApprovalRules()
    keys = shape.keys_of(top, "`approvals`", ("roles", "approvers", "expires"), ("roles",))
    roles = read_roles(keys["roles"], "`roles` of `approvals`", shape) if "roles" in keys else ()
    approvers, expires_ns = APPROVERS_DEFAULT, EXPIRES_NS_DEFAULT
    if "approvers" in keys:
        number = whole_number(keys["approvers"])
        if number is None or not 1 <= number <= APPROVERS_MAX:
            message = f"`approvers` must be a whole number from 1 to {APPROVERS_MAX}"
            shape.add(keys["approvers"].place, E_APPROVALS, message, "write `approvers: 1`")
        else:
            approvers = number
    if "expires" in keys:
        expires_ns = _read_span(keys["expires"], _EXPIRES, shape)
    able = sum(not set(roles).isdisjoint(known.roles) for known in standings.values())
    if roles and able < approvers:
        message = f"a grant needs {approvers} approvers, and {able} principals have such a role"
        mend = "give a role of `approvals` to more principals, or ask for fewer"
        shape.add(top.place, E_APPROVALS, message, mend)
    return ApprovalRules(frozenset(roles), approvers, expires_ns)


def read_exceptions(
    node: YamlNode,
    sort: ExceptionSort,
    standings: Mapping[str, Standing],
    public_keys: Mapping[str, bytes],
    shape: Shape,
) -> ExceptionRules:
    """The rules of exceptions of one sort, in one version."""
    span = _LONGEST[sort]
    what = f"`{span.within}`"
    top = shape.map_of(node, what)
    if top is None:
        return ExceptionRules()
    keys = shape.keys_of(top, what, ("roles", "longest"), ("roles",))
    roles = read_roles(keys["roles"], f"`roles` of {what}", shape) if "roles" in keys else ()
    longest_ns = _read_span(keys["longest"], span, shape) if "longest" in keys else span.default_ns
    able = (n for n, known in standings.items() if not set(roles).isdisjoint(known.roles))
    if roles and public_keys.keys().isdisjoint(able):
        message = f"nobody with a role of {what} has a `public_key`"
        mend = "`interlock exceptions keygen` makes a pair of keys; write the public one there"
        shape.add(top.place, E_EXCEPTIONS, message, mend)
    return ExceptionRules(frozenset(roles), longest_ns)


def read_public_key(node: YamlNode, what: str, shape: Shape) -> bytes | None:
    """An Ed25519 key; None if the scalar is not one, which is noted."""
    text = node.text if isinstance(node, YamlScalar) else ""
    found = _PUBLIC_KEY.fullmatch(text)
    if found is not None:
        return b64decode(found.group(1))
    message = f"`public_key` of {what} is not an Ed25519 key"
    mend = "write the line that `interlock exceptions keygen` prints, as in `ed25519:BASE64`"
    shape.add(node.place, E_EXCEPTIONS, message, mend)
    return None


def _read_span(node: YamlNode, span: _Span, shape: Shape) -> int:
    text = node.text.strip() if isinstance(node, YamlScalar) else ""
    least, most = format_duration(span.least_ns), format_duration(span.most_ns)
    message = f"`{span.key}` of `{span.within}` must be a duration from `{least}` to `{most}`"
    example = f"{span.key}: {format_duration(span.default_ns)}"

    def place(offset: int) -> Place:
        return node.place

    try:
        span_ns = parse_span(text, file=shape.file, locate=place)
    except SpecError:
        meant = meant_duration(text)
        mend = f"write `{meant}`" if meant else f"write a number and a unit, as in `{example}`"
        shape.add(node.place, span.code, message, mend)
        return span.default_ns
    if not span.least_ns <= span_ns <= span.most_ns:
        shape.add(node.place, span.code, message, f"write `{example}`")
    return span_ns
