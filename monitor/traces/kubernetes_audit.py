"""Audit events of Kubernetes (`audit.k8s.io`): one a line, or an `EventList`.

| in the event | event |
|---|---|
| stage `RequestReceived` | `tool.requested`; `auditID` is the call |
| stage `ResponseStarted` | passed over |
| stage `ResponseComplete` | `tool.requested`, then `tool.completed`; `tool.failed` from code 400 |
| stage `Panic` | `tool.requested`, then `tool.failed` |

The tool is `verb resource`, with a subresource as in `create pods/exec`; without an object it is
`verb` and the path. The arguments are `namespace`, `name`, `apiGroup`, `uri`, and `body` if the
policy of the log keeps it. There is no session: a user's events are one, and an impersonated user's
are those of who acts. A second telling of a request is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import mapping_of, text_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text

_GROUP: Final = "audit.k8s.io/"
_FAILED_FROM: Final = 400
"""Status codes of HTTP from which a request was not done."""


def is_it(value: Any) -> bool:
    """By the group of the object; a list may leave it out of its items."""
    fields = mapping_of(value)
    return text_of(fields.get("apiVersion")).startswith(_GROUP)


def read(document: Document) -> Iterable[Item]:
    """The events of one audit event, or of a list."""
    place, fields = document.place, mapping_of(document.value)
    if fields.get("kind") == "EventList" and isinstance(fields.get("items"), list):
        yield Passed(place, "the head of a list")
        for number, one in enumerate(fields["items"], 1):
            yield from _event(f"{place}, item {number}", mapping_of(one))
    else:
        yield from _event(place, fields)


def _event(place: str, event: Mapping[str, Any]) -> Iterator[Item]:
    verb, stage = text_of(event.get("verb")), event.get("stage")
    if not verb:
        yield Unread(place, "an audit event without a verb")
    elif stage == "ResponseStarted":
        yield Passed(place, "stage ResponseStarted")
    elif stage == "RequestReceived":
        yield _requested(place, event, _common(place, verb, event))
    elif stage in ("ResponseComplete", "Panic"):
        common = _common(place, verb, event)
        yield _requested(place, event, common)
        yield _outcome(event, common)
    else:
        yield Unread(place, "an audit event of an unknown stage")


def _common(place: str, verb: str, event: Mapping[str, Any]) -> dict[str, Any]:
    object_ = mapping_of(event.get("objectRef"))
    resource, part = text_of(object_.get("resource")), text_of(object_.get("subresource"))
    target = f"{resource}/{part}" if part else resource
    user = text_of(mapping_of(event.get("user")).get("username"))
    acts_as = text_of(mapping_of(event.get("impersonatedUser")).get("username"))
    agent = text_of(event.get("userAgent"))
    return {
        "place": place,
        "session": user,
        "user": acts_as or user,
        "tool": f"{verb} {target or text_of(event.get('requestURI')).partition('?')[0]}".strip(),
        "call": text_of(event.get("auditID")),
        "attributes": {"user_agent": agent} if agent else {},
    }


def _requested(place: str, event: Mapping[str, Any], common: dict[str, Any]) -> Step:
    object_ = mapping_of(event.get("objectRef"))
    named = {name: object_[name] for name in ("namespace", "name", "apiGroup") if name in object_}
    args = {**named, "uri": event.get("requestURI"), "body": event.get("requestObject")}
    args = {name: value for name, value in args.items() if value is not None}
    # When it comes, a request has no body yet: its second telling knows all of the arguments.
    is_whole = event.get("stage") != "RequestReceived"
    received_ns = from_text(event.get("requestReceivedTimestamp"))
    return Step(
        kind="tool.requested", time_ns=received_ns, args=args if is_whole else None, **common
    )


def _outcome(event: Mapping[str, Any], common: dict[str, Any]) -> Step:
    status, time_ns = (
        mapping_of(event.get("responseStatus")),
        from_text(event.get("stageTimestamp")),
    )
    code = status.get("code")
    is_failed = isinstance(code, int) and code >= _FAILED_FROM
    if is_failed or event.get("stage") == "Panic":
        told = (text_of(status.get(name)) for name in ("message", "reason"))
        reason = next(filter(None, told), f"status {code}" if is_failed else "the server panicked")
        return Step(kind="tool.failed", time_ns=time_ns, error=reason, **common)
    result = event.get("responseObject", event.get("responseStatus", ABSENT))
    return Step(kind="tool.completed", time_ns=time_ns, result=result, **common)


FORMAT: Final = Format(
    name="kubernetes-audit",
    title="audit events of Kubernetes",
    version="audit.k8s.io/v1; from its published schema",
    is_it=is_it,
    read=read,
)
