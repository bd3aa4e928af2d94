"""Parses the text of a file of principals: all faults at once, each with place, reason and mend.

Pure: nothing is opened here. No message contains a value that could be a token. Keys are strict,
and everything is bounded. Codes beside those of all YAML files (E201 to E212, docs/language.md):

    P101  number or time of a version that does not follow the one before
    P102  name of a principal or a role
    P103  token or user id that is not valid, or that two principals have
    P104  roles or attributes that are not valid, or too many
    P105  rules of approvals that nobody can satisfy, or that are out of range
    P106  public key, or rules of exceptions, that are not valid
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from invariants.formula.tokens import show_text
from invariants.model.errors import ConfigError, Fault, Place
from invariants.model.standing import Standing
from invariants.spec.example_times import parse_rfc3339_ns
from invariants.spec.typed_yaml import Shape
from invariants.yaml.faults import E_ANCHOR, E_EMPTY, E_KEY_UNKNOWN, E_SHAPE, E_TAG
from invariants.yaml.nodes import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml

from .model import (
    ApprovalRules,
    Credentials,
    ExceptionRules,
    ExceptionSort,
    Principals,
    PrincipalsVersion,
)
from .names import E_NAME, E_STANDING, OF_UID, check_name, read_roles, whole_number
from .rules import read_approvals, read_exceptions, read_public_key

E_ORDER: Final = "P101"
E_CREDENTIAL: Final = "P103"

VERSIONS_MAX: Final = 1_000
PRINCIPALS_MAX: Final = 10_000
"""Chosen: in one version; the size of the file (1 MiB) is reached about then."""
ATTRIBUTES_BYTES_MAX: Final = 16 * 1024
"""Chosen: of one principal, as JSON; a gate writes them into each record."""
ATTRIBUTES_DEPTH_MAX: Final = 8  # Chosen: attributes are labels, not documents.
NUMBER_MAX: Final = 2**63 - 1
UID_MAX: Final = 2**32 - 2  # Source: chown(2): 2**32 - 1 means "no change", and is not a user.

_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_SHA256_MEND: Final = "write the 64 hexadecimal digits of `printf %s TOKEN | sha256sum`"
_VERSION_KEYS: Final = (
    "version",
    "since",
    "principals",
    "approvals",
    "exceptions",
    "break_glass",
)
_PRINCIPAL_KEYS: Final = ("token_sha256", "uid", "public_key", "roles", "attributes")


def parse_principals(text: str, file: str) -> Principals:
    """The principals of a text; `file` is its name, for messages.

    Raises
    ------
    ConfigError
        With one line for each fault of the file.
    """
    root, faults = read_yaml(text, file)
    shape = Shape(file, [_redacted(fault) for fault in faults])
    versions = _read_versions(root, shape) if root is not None else ()
    if root is None and not shape.faults:
        shape.add(Place(), E_EMPTY, "this file is empty", "write `versions:`")
    if shape.faults:
        ordered = sorted(shape.faults, key=lambda fault: (fault.place, fault.code))
        raise ConfigError("\n".join(map(str, ordered)))
    return Principals(versions, _digest(versions))


def _redacted(fault: Fault) -> Fault:
    """A fault of YAML without the word that it shows: a token may begin with `!` or `&`."""
    if fault.code not in (E_TAG, E_ANCHOR):
        return fault
    message = "a value begins with a sign that YAML reserves (`!`, `&` or `*`)"
    return msgspec.structs.replace(fault, message=message, mend="put it in quotes")


def _digest(versions: tuple[PrincipalsVersion, ...]) -> str:
    parts = [
        (
            version.number,
            version.since_ns,
            {name: (known.roles, known.attributes) for name, known in version.standings.items()},
            sorted(version.approvals.roles),
            version.approvals.approvers,
            version.approvals.expires_ns,
        )
        for version in versions
    ]
    encoded = msgspec.json.encode(parts, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()


def _read_versions(root: YamlNode, shape: Shape) -> tuple[PrincipalsVersion, ...]:
    top = shape.map_of(root, "a file of principals")
    if top is None:
        return ()
    keys = shape.keys_of(top, "a file of principals", ("versions",), ("versions",))
    items = shape.items_of(keys["versions"], "`versions`") if "versions" in keys else None
    if items is not None and len(items) > VERSIONS_MAX:
        message = f"`versions` has {len(items)} entries, and the maximum is {VERSIONS_MAX}"
        shape.add(items[VERSIONS_MAX].place, E_ORDER, message, "remove the oldest ones")
        return ()
    versions: list[PrincipalsVersion] = []
    number = since_ns = -1
    for item in items or ():
        version = _read_version(item, number, since_ns, shape)
        if version is not None:
            versions.append(version)
            number, since_ns = version.number, version.since_ns
    return tuple(versions)


def _read_version(
    node: YamlNode, number_before: int, since_before_ns: int, shape: Shape
) -> PrincipalsVersion | None:
    top = shape.map_of(node, "a version")
    if top is None:
        return None
    required = ("version", "since", "principals")
    keys = shape.keys_of(top, "a version", _VERSION_KEYS, required)
    number = since_ns = None
    if "version" in keys:
        number = _read_number(keys["version"], number_before, shape)
    if "since" in keys:
        since_ns = _read_since(keys["since"], since_before_ns, shape)
    read = _Reading(shape, number or 0)
    if "principals" in keys:
        read.take_all(keys["principals"])
    approvals = ApprovalRules()
    if "approvals" in keys:
        approvals = read_approvals(keys["approvals"], read.standings, shape)
    rules: dict[ExceptionSort, ExceptionRules] = {}
    sorts: dict[str, ExceptionSort] = {"exceptions": "exception", "break_glass": "break-glass"}
    for key, sort in sorts.items():
        if key in keys:
            rules[sort] = read_exceptions(keys[key], sort, read.standings, read.public_keys, shape)
    if number is None or since_ns is None:
        return None
    credentials = Credentials([(d, n) for d, n in read.tokens.items()], read.uids)
    return PrincipalsVersion(
        number, since_ns, read.standings, credentials, approvals, read.public_keys, rules
    )


def _read_number(node: YamlNode, before: int, shape: Shape) -> int | None:
    number = whole_number(node)
    if number is None or not 1 <= number <= NUMBER_MAX:
        message = "`version` must be a whole number from 1"
        shape.add(node.place, E_ORDER, message, "write `version: 1`")
        return None
    if number <= before:
        message = f"version {number} comes after version {before}"
        mend = f"write a higher number, such as `version: {before + 1}`"
        shape.add(node.place, E_ORDER, message, mend)
    return number


def _read_since(node: YamlNode, before_ns: int, shape: Shape) -> int | None:
    text = node.text if isinstance(node, YamlScalar) else ""
    since_ns = parse_rfc3339_ns(text)
    if since_ns is None:
        message = "`since` must be a time of RFC 3339 with its zone"
        shape.add(node.place, E_ORDER, message, "write `since: 2026-01-31T12:00:00Z`")
    elif since_ns <= before_ns:
        message = f"`since: {text}` is not later than that of the version before"
        shape.add(node.place, E_ORDER, message, "append versions in the order of their times")
    return since_ns


class _Reading:
    """The principals of one version as they are read, and whose each credential is."""

    def __init__(self, shape: Shape, number: int) -> None:
        self.shape = shape
        self.number = number
        self.standings: dict[str, Standing] = {}
        self.tokens: dict[bytes, str] = {}
        self.uids: dict[int, str] = {}
        self.public_keys: dict[str, bytes] = {}

    def take_all(self, node: YamlNode) -> None:
        top = self.shape.map_of(node, "`principals`")
        entries = top.entries if top else ()
        if len(entries) > PRINCIPALS_MAX:
            message = f"a version has {len(entries)} principals; the maximum is {PRINCIPALS_MAX}"
            self.shape.add(entries[PRINCIPALS_MAX][0].place, E_NAME, message, "remove some")
            return
        for key, value in entries:
            self.take(key, value)

    def take(self, key: YamlScalar, node: YamlNode) -> None:
        name, shape = key.text, self.shape
        check_name(key, "a principal", shape)
        if OF_UID.fullmatch(name):
            message = f"`{name}` is the gate's name of a user whom no principal claims"
            shape.add(key.place, E_NAME, message, "choose another name, and write `uid: ...` in it")
        what = f"the principal {show_text(name)}"
        if not isinstance(node, YamlMap):
            # Its value is not shown: it may be a token.
            mend = "write `{roles: [...]}`, or `{}` for no roles"
            shape.add(node.place, E_SHAPE, f"{what} must be a map", mend)
            return
        if (plain := next((k for k, _ in node.entries if k.text == "token"), None)) is not None:
            message = f"{what} has no key `token`: a file of principals holds no tokens"
            mend = f"in `token_sha256:`, {_SHA256_MEND}; replace this token, as it was written down"
            shape.add(plain.place, E_KEY_UNKNOWN, message, mend)
            node = msgspec.structs.replace(
                node, entries=tuple(entry for entry in node.entries if entry[0] is not plain)
            )
        keys = shape.keys_of(node, what, _PRINCIPAL_KEYS)
        if "token_sha256" in keys:
            self.take_token(keys["token_sha256"], name)
        if "uid" in keys:
            self.take_uid(keys["uid"], name)
        if "public_key" in keys:
            self.take_public_key(keys["public_key"], name)
        roles = read_roles(keys["roles"], f"`roles` of {what}", shape) if "roles" in keys else ()
        attributes = _read_attributes(keys["attributes"], shape) if "attributes" in keys else {}
        self.standings[name] = Standing(self.number, roles, attributes)

    def take_token(self, node: YamlNode, name: str) -> None:
        text = node.text if isinstance(node, YamlScalar) else ""
        if not _SHA256.fullmatch(text):
            message = f"`token_sha256` of `{name}` is not a SHA-256"
            self.shape.add(node.place, E_CREDENTIAL, message, _SHA256_MEND)
            return
        other = self.tokens.setdefault(bytes.fromhex(text), name)
        if other != name:
            message = f"`{name}` has the same token as `{other}`"
            self.shape.add(node.place, E_CREDENTIAL, message, "give each a token of its own")

    def take_uid(self, node: YamlNode, name: str) -> None:
        uid = whole_number(node)
        if uid is None or not 0 <= uid <= UID_MAX:
            message = f"`uid` of `{name}` must be a whole number from 0 to {UID_MAX}"
            self.shape.add(node.place, E_CREDENTIAL, message, "write the number that `id -u` shows")
            return
        other = self.uids.setdefault(uid, name)
        if other != name:
            message = f"`{name}` has the same `uid` as `{other}`"
            self.shape.add(node.place, E_CREDENTIAL, message, "give each a user of its own")

    def take_public_key(self, node: YamlNode, name: str) -> None:
        key = read_public_key(node, f"`{name}`", self.shape)
        if key is None:
            return
        other = next((n for n, known in self.public_keys.items() if known == key), name)
        if other != name:
            message = f"`{name}` has the same `public_key` as `{other}`"
            self.shape.add(node.place, E_CREDENTIAL, message, "give each a key of its own")
            return
        self.public_keys[name] = key


def _read_attributes(node: YamlNode, shape: Shape) -> Mapping[str, Any]:
    if not isinstance(node, YamlMap):
        shape.add(node.place, E_SHAPE, "`attributes` must be a map", "write `{name: value}`")
        return {}
    if (problem := _attribute_problem(node, 1)) is not None:
        shape.add(node.place, E_STANDING, f"`attributes` contain {problem}", "shorten them")
        return {}
    attributes: dict[str, Any] = shape.json_of(node)
    size_bytes = len(msgspec.json.encode(attributes))
    if size_bytes > ATTRIBUTES_BYTES_MAX:
        message = f"`attributes` have {size_bytes} bytes, and the maximum is {ATTRIBUTES_BYTES_MAX}"
        shape.add(node.place, E_STANDING, message, "shorten them")
    return attributes


def _attribute_problem(node: YamlNode, depth: int) -> str | None:
    """The first part of a value that an event could not carry to a predicate."""
    if depth > ATTRIBUTES_DEPTH_MAX:
        return f"more than {ATTRIBUTES_DEPTH_MAX} levels"
    if isinstance(node, YamlScalar):
        value = node.value
        if isinstance(value, int) and not -NUMBER_MAX <= value <= NUMBER_MAX:
            return "a number that no predicate can read"
        return None
    parts = node.items if isinstance(node, YamlList) else [value for _, value in node.entries]
    return next((p for part in parts if (p := _attribute_problem(part, depth + 1))), None)
