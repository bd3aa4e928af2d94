"""One item of `invariants:` into an `InvariantSpec`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, get_args

from ..formula.format import format_formula
from ..formula.tokens import show_text
from ..model.report import Report
from ..model.source_text import SourceText
from ..yaml.faults import E_CHOICE, E_FLOW_MAP, E_KEY_MISSING, E_KEY_REPEATED, E_NAME, E_SHAPE
from ..yaml.nodes import YamlMap, YamlNode, YamlScalar
from .about import ABOUT_KEYS, read_about
from .example import read_example
from .formula import read_formula
from .model import ActionKind, Example, InvariantSpec, Per, Severity
from .pattern import Expansion, read_pattern
from .typed_yaml import Shape, sort_of

_KEYS: Final = (
    *("id", "severity", "never", "always", "pattern", "summary", "per", "on_unknown"),
    *("report", "mode", "fail", "respond", "enabled", *ABOUT_KEYS, "examples"),
)
_FORMS: Final = ("never", "always", "pattern")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SEVERITIES: Final[dict[str, Severity]] = {
    "info": "info",
    "warning": "warning",
    "critical": "critical",
}
_ACTIONS: Final[dict[str, ActionKind]] = {kind: kind for kind in get_args(ActionKind)}
_ON_UNKNOWN: Final[dict[str, Literal["violate", "report"]]] = {
    "violate": "violate",
    "report": "report",
}
_MODES: Final[dict[str, Literal["observe", "enforce"]]] = {
    "observe": "observe",
    "enforce": "enforce",
}
_FAILS: Final[dict[str, Literal["open", "closed"]]] = {"open": "open", "closed": "closed"}
_PERS: Final[dict[str, Per]] = {
    "session": "session",
    "agent": "agent",
    "user": "user",
    "tenant": "tenant",
}
_REPORTS: Final[dict[str, Report]] = {"every": "every", "first": "first", "edge": "edge"}


def read_invariant(node: YamlNode, shape: Shape) -> InvariantSpec | None:
    """The invariant, or None where too much of it is wrong to go on checking it."""
    top = shape.map_of(node, "an invariant")
    if top is None:
        return None
    if top.is_flow and any(_is_piece(key, value) for key, value in top.entries):
        message = "this invariant is written in `{`, where YAML ends a formula at `,`"
        mend = "put the formula in quotes, or write a line `key: value` for each key"
        shape.add(top.place, E_FLOW_MAP, message, mend)
        return None
    keys = shape.keys_of(top, "an invariant", _KEYS, ("id", "severity"))
    identity = _read_id(keys, shape)
    severity = shape.choice_of(keys.get("severity"), "`severity`", _SEVERITIES)
    written = _form(keys, top, shape)
    stated = _read_stated(written, keys, identity or "", shape) if written else None
    per = shape.choice_of(keys.get("per"), "`per`", _PERS)
    summary = shape.text_of(keys["summary"], "`summary`") if "summary" in keys else None
    on_unknown = shape.choice_of(keys.get("on_unknown"), "`on_unknown`", _ON_UNKNOWN)
    report = shape.choice_of(keys.get("report"), "`report`", _REPORTS)
    mode = shape.choice_of(keys.get("mode"), "`mode`", _MODES)
    fail = shape.choice_of(keys.get("fail"), "`fail`", _FAILS)
    respond = _read_respond(keys["respond"], shape) if "respond" in keys else ("alert",)
    about = read_about(keys, shape)
    is_enabled = _read_enabled(keys.get("enabled"), shape)
    examples = _read_examples(keys.get("examples"), shape)
    if identity is None or stated is None:
        return None
    (form, formula, predicates), source = stated
    return InvariantSpec(
        id=identity,
        # A faulty choice was reported; with a default the other checks can continue.
        severity=severity or "warning",
        form=form,
        formula=formula,
        formula_source=source,
        place=keys["id"].place,
        summary=summary.text if summary else "",
        about=about,
        is_enabled=is_enabled,
        per=per or "session",
        on_unknown=on_unknown or "report",
        report=report or "every",
        mode=mode or "observe",
        fail=fail or "closed",
        respond=respond,
        examples=examples,
        has_on_unknown="on_unknown" in keys,
        predicates=predicates,
    )


def _is_piece(key: YamlScalar, value: YamlNode) -> bool:
    """The rest of a formula after the `,` at which YAML cut it: a key without a value."""
    return key.text not in _KEYS and isinstance(value, YamlScalar) and value.value is None


def _read_id(keys: Mapping[str, YamlNode], shape: Shape) -> str | None:
    scalar = shape.text_of(keys["id"], "`id`") if "id" in keys else None
    if scalar is None:
        return None
    if not _ID.fullmatch(scalar.text):
        message = f"{show_text(scalar.text)} cannot be an id"
        mend = "an id is up to 100 ASCII letters, digits, `.`, `_` and `-`, as in `no-egress`"
        shape.add(scalar.place, E_NAME, message, mend)
        return None
    return scalar.text


def _mend_of_enabled(node: YamlNode) -> str:
    word = node.text.lower() if isinstance(node, YamlScalar) else ""
    if word in ("no", "off", "0", "n"):
        return "write `enabled: false`"
    if word in ("yes", "on", "1", "y"):
        return "write `enabled: true`"
    return "write `enabled: false`, or remove the key"


def _read_enabled(node: YamlNode | None, shape: Shape) -> bool:
    """False only for `enabled: false`; faults are reported."""
    if node is None or not shape.has_value(node, "`enabled`"):
        return True
    if isinstance(node, YamlScalar) and isinstance(node.value, bool):
        return node.value
    message = f"`enabled` must be `true` or `false`, not {sort_of(node)}"
    shape.add(node.place, E_SHAPE, message, _mend_of_enabled(node))
    return True


def _read_stated(
    written: str, keys: Mapping[str, YamlNode], identity: str, shape: Shape
) -> tuple[Expansion, SourceText] | None:
    """The invariant's formula, with its text; a pattern's is its expansion."""
    if written == "pattern":
        expanded = read_pattern(keys["pattern"], identity, shape)
        if expanded is None:
            return None
        return expanded, SourceText(format_formula(expanded.formula), keys["pattern"].place)
    source = shape.expression_of(keys[written], f"`{written}`")
    read = read_formula(source, shape) if source else None
    if source is None or read is None:
        return None
    return Expansion("never" if written == "never" else "always", read), source


def _form(keys: Mapping[str, YamlNode], top: YamlMap, shape: Shape) -> str | None:
    """Which of `never`, `always` and `pattern` the invariant has, when it has exactly one."""
    present = [key for key in _FORMS if key in keys]
    if not present:
        message = "this invariant has no `never`, `always` or `pattern`"
        shape.add(top.place, E_KEY_MISSING, message, "add `never: ...` or `always: ...`")
    elif len(present) > 1:
        message = f"this invariant has `{present[0]}` and `{present[1]}`; only one is allowed"
        mend = "write two invariants"
        shape.add(keys[present[1]].place, E_KEY_REPEATED, message, mend)
    return present[0] if present else None


def _read_respond(node: YamlNode, shape: Shape) -> tuple[ActionKind, ...]:
    actions: list[ActionKind] = []
    for item in shape.items_of(node, "`respond`") or ():
        action = shape.choice_of(item, "an action", _ACTIONS)
        if action in actions:
            message = f"the action `{action}` is listed twice"
            shape.add(item.place, E_CHOICE, message, "remove one")
        elif action is not None:
            actions.append(action)
    return tuple(actions)


def _read_examples(node: YamlNode | None, shape: Shape) -> tuple[Example, ...]:
    items = shape.items_of(node, "`examples`") if node is not None else None
    examples = (
        read_example(item, f"example {index + 1}", shape) for index, item in enumerate(items or ())
    )
    return tuple(example for example in examples if example is not None)
