"""The pattern `allowed_calls`: the calls that a role may make."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from invariants.analysis.mutants import mutants_of
from invariants.check.specs import read_specs
from invariants.formula.format import format_formula
from invariants.image.codec import decode_image, encode_image
from invariants.image.compile import compile_program
from invariants.image.load import load_program
from invariants.image.make import image_of
from invariants.model.event import Event, Origin
from invariants.model.limits import DEFAULT_LIMITS
from invariants.spec.format import rewrite
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings

FILE: Final = """version: 1
invariants:
  - id: support-calls
    summary: The role support makes only its own calls
    severity: critical
    on_unknown: {on_unknown}
    pattern:
      allowed_calls:
        role: support
        {body}
"""
BODY: Final = """allow:
          - tools: [search_*, echo]
          - {tools: [http_get], hosts: ["*.Example.com", api.other.example]}
          - {tools: [read_file], paths: [/srv/tickets, /tmp]}
          - {tools: [copy], hosts: [a.example], paths: [/srv]}
        deny:
          - {tools: ["**delete**"]}
          - {tools: [http_get], hosts: [secret.example.com]}
        default: deny"""
SUPPORT: Final = {"version": 1, "roles": ["support"]}


def kernel_of(body: str = BODY, on_unknown: str = "report") -> Kernel:
    text = FILE.replace("{body}", body).replace("{on_unknown}", on_unknown)
    specs, faults = read_specs([("a.yaml", text)])
    assert not faults
    program = compile_program(specs)
    image = decode_image(encode_image(image_of(specs, DEFAULT_LIMITS)))
    assert load_program(image, digest_key=b"k").digest == program.digest
    return Kernel(program, KernelSettings(trust_ts=True))


def judge(kernel: Kernel, content: dict[str, Any]) -> list[Finding]:
    event = decode_event(json.dumps(content).encode(), Origin("f", "0", 0), is_trusted=True)
    assert isinstance(event, Event), event
    return kernel.step(event)


def met(tool: str, args: Any = None, *, standing: Any = SUPPORT, body: str = BODY) -> str:
    """The type of the finding for one call, and the text of what is allowed."""
    content = {"session": "s", "seq": 0, "ts": 1_800_000_000_000_000_000, "kind": "tool.requested"}
    content |= {"tool": tool, "args": {} if args is None else args, "standing": standing}
    found = judge(kernel_of(body), content)
    assert len(found) < 2
    return found[0].type if found else "holds"


HOLDS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("search_web", {}),
    ("echo", {"url": "http://evil.example"}),
    ("http_get", {"url": "https://a.example.com/x?y=http://evil.example"}),
    ("http_get", {"url": "API.other.example:443/x"}),
    ("http_get", {"url": "WSS://a.example.com/x"}),
    ("http_get", {"urls": ["https://a.example.com", "http://b.c.example.com"]}),
    ("read_file", {"path": "/srv/tickets/1/../2"}),
    ("read_file", {"path": "/tmp", "content": "/etc/passwd"}),
    ("copy", {"url": "https://a.example/", "path": "/srv/x"}),
]
VIOLATED: Final[list[tuple[str, dict[str, Any]]]] = [
    ("send_mail", {}),
    ("Echo", {}),
    ("searchweb", {}),
    ("search_a/b", {}),
    ("search_delete", {}),
    ("searchDeleteAll", {}),
    ("http_get", {}),
    ("http_get", {"url": None}),
    ("http_get", {"url": []}),
    ("http_get", {"url": "https://example.com"}),
    ("http_get", {"url": "https://a.example.com@evil.example/"}),
    ("http_get", {"url": "https://a.example.com.evil.example/"}),
    ("http_get", {"url": "https://evil-example.com/"}),
    ("http_get", {"url": "https://a.example.com", "callbackUrl": "https://evil.example"}),
    ("http_get", {"url": ["https://a.example.com", "https://evil.example"]}),
    ("http_get", {"url": "https://secret.example.com"}),
    ("http_get", {"url": "file://a.example.com/etc/passwd"}),
    ("http_get", {"url": "javascript://a.example.com/%0aalert(1)"}),
    ("http_get", {"url": "gopher://a.example.com/_x"}),
    ("http_get", {"url": "xhttps://a.example.com/"}),
    ("read_file", {"path": "/srv/tickets-of-others/x"}),
    ("read_file", {"path": "/srv/tickets/../../etc/passwd"}),
    ("read_file", {"path": "/tmp/x", "targetPath": "/etc"}),
    ("copy", {"url": "https://a.example/", "path": "/etc"}),
    ("copy", {"url": "https://a.example/"}),
    ("copy", {"path": "/srv/x"}),
]
UNKNOWN: Final[list[tuple[str, dict[str, Any]]]] = [
    ("http_get", {"url": "https://a.example.com\\@evil.example"}),
    ("http_get", {"url": "http://0x7f.1/"}),
    ("http_get", {"url": {"of": "https://a.example.com"}}),
    ("http_get", {"url": 5}),
    ("read_file", {"path": "notes.txt"}),
    ("read_file", {"path": "~/x"}),
    ("read_file", {"path": "/srv/tickets\\..\\x"}),
]


@pytest.mark.parametrize(("tool", "args"), HOLDS)
def test_a_call_that_an_allow_covers_holds(tool: str, args: dict[str, Any]) -> None:
    """The tool, and all hosts and paths of its arguments."""
    assert met(tool, args) == "holds"


@pytest.mark.parametrize(("tool", "args"), VIOLATED)
def test_any_other_call_is_a_violation(tool: str, args: dict[str, Any]) -> None:
    """One that no allow covers, also for want of an argument, and one that a deny covers."""
    assert met(tool, args) == "violated"


@pytest.mark.parametrize(("tool", "args"), UNKNOWN)
def test_what_cannot_be_read_is_not_allowed(tool: str, args: dict[str, Any]) -> None:
    """It is inconclusive, and a violation with `on_unknown: violate`."""
    assert met(tool, args) == "inconclusive"
    content = {"session": "s", "seq": 0, "ts": 1_800_000_000_000_000_000, "kind": "tool.requested"}
    content |= {"tool": tool, "args": args, "standing": SUPPORT}
    (found,) = judge(kernel_of(on_unknown="violate"), content)
    assert (found.type, found.is_escalated) == ("violated", True)


def test_only_the_role_is_concerned() -> None:
    """Other roles are free of it, and an unknown principal is not."""
    assert met("send_mail", standing={"version": 1, "roles": ["other"]}) == "holds"
    assert met("send_mail", standing={"version": 1, "roles": ["other", "support"]}) == "violated"
    assert met("send_mail", standing=None) == "inconclusive"
    assert met("echo", standing=None) == "inconclusive", "no allow is for an unknown principal"


def test_other_kinds_of_events_are_not_calls() -> None:
    """An outcome or a message violates nothing."""
    kernel = kernel_of()
    for seq, kind in enumerate(("tool.completed", "tool.denied", "message.user", "own.kind")):
        content = {"session": "s", "seq": seq, "ts": 1_800_000_000_000_000_000 + seq, "kind": kind}
        assert not judge(kernel, content | {"tool": "send_mail", "args": {}, "standing": SUPPORT})


@pytest.mark.parametrize(
    ("tool", "args", "text"),
    [
        ("http_get", {}, "http_get to *.example.com, api.other.example"),
        ("read_file", {"path": "/etc"}, "read_file within /srv/tickets, /tmp"),
        ("copy", {}, "copy to a.example within /srv"),
        ("send_mail", {}, "search_*, echo, http_get, read_file, copy"),
        ("http_delete", {}, "nothing; denied: **delete**"),
    ],
)
def test_a_violation_says_what_would_be_allowed(tool: str, args: dict[str, Any], text: str) -> None:
    """The tool's own allows if it has some, else all allowed tools; nothing of the event."""
    content = {"session": "s", "seq": 0, "ts": 1_800_000_000_000_000_000, "kind": "tool.requested"}
    content |= {"tool": tool, "args": args, "standing": SUPPORT}
    (found,) = judge(kernel_of(), content)
    but = "" if text.startswith("nothing") else "; denied: http_get to secret.example.com"
    assert found.binding == {"allowed": text + but}


def test_by_default_everything_else_may_be_allowed() -> None:
    """`default: allow` with deny lists, in any spelling of the tool."""
    body = """deny:
          - {tools: [send_mail]}
          - {tools: [read_file], paths: [/etc]}
        default: allow"""
    assert met("anything", body=body) == "holds"
    assert met("SendMail", body=body) == "violated"
    assert met("read_file", {"path": "/etc/x"}, body=body) == "violated"
    assert met("read_file", {"paths": ["/tmp", "/etc"]}, body=body) == "violated"
    assert met("read_file", {"path": "/tmp/x"}, body=body) == "holds"
    assert met("read_file", {"path": "x"}, body=body) == "inconclusive"


def test_without_lists_nothing_is_allowed() -> None:
    """A role may have no calls at all."""
    assert met("anything", body="default: deny") == "violated"


def test_arguments_can_be_named() -> None:
    """For tools whose arguments have other names."""
    body = """allow: [{tools: [dial], hosts: [a.example]}]
        host_arguments: [peer]"""
    assert met("dial", {"peer": "a.example", "url": "https://evil.example"}, body=body) == "holds"
    assert met("dial", {"peer": "b.example"}, body=body) == "violated"
    assert met("dial", {"url": "https://a.example"}, body=body) == "violated"


def test_it_expands_to_predicates_and_a_formula() -> None:
    """Those of docs/language.md; the names begin with the invariant's id."""
    text = FILE.replace("{body}", BODY).replace("{on_unknown}", "report")
    specs, _ = read_specs([("a.yaml", text)])
    (spec,) = specs
    formula = spec.invariants[0].formula
    assert spec.invariants[0].form == "never"
    assert format_formula(formula) == (
        "support_calls_asks(allowed=allowed) and (support_calls_deny_1 or support_calls_deny_2 or "
        "not (support_calls_allow_1 or support_calls_allow_2 or support_calls_allow_3 or "
        "support_calls_allow_4))"
    )
    assert [predicate.name for predicate in spec.predicates] == [
        *("support_calls_asks", "support_calls_deny_1", "support_calls_deny_2"),
        *(f"support_calls_allow_{number}" for number in range(1, 5)),
    ]
    assert rewrite(text, "a.yaml").is_same


def test_its_text_is_not_mutated() -> None:
    """No example can notice that a finding lacks the text of what is allowed."""
    text = FILE.replace("{body}", BODY).replace("{on_unknown}", "report")
    ((spec,), _) = read_specs([("a.yaml", text)])
    mutants = mutants_of(spec, spec.invariants[0]).found
    assert len(mutants) > 5
    assert not [one for one in mutants if "allowed=_" in one.change]


def test_texts_of_a_file_cannot_become_code() -> None:
    """Quotes, backslashes and line ends in a name stay in it."""
    body = """allow: [{tools: ['x"] || true || ["', "a\\\\b", "n\\nl"], hosts: ['*']}]"""
    assert met("anything", {"url": "https://a.example"}, body=body) == "violated"
    for tool in ('x"] || true || ["', "a\\b", "n\nl"):
        assert met(tool, {"url": "https://a.example"}, body=body) == "holds"
