"""A small gate over HTTP with two fixed rules: `delete` is denied, `pay` waits for an approval."""

from __future__ import annotations

import json
import socketserver
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Event = dict[str, Any]


class StandInGate:
    """Listens on a Unix socket and on a port; `log()` is what it recorded."""

    token = "token-of-the-stand-in"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate.sock"
        self.address = f"unix:{self.path}"
        self.url = ""
        self._http: ThreadingHTTPServer | None = None
        self._server: _Server | None = None
        self.fresh()

    def fresh(self) -> None:
        self._events: list[Event] = []
        self._names: dict[str, Event] = {}
        self._answers: dict[tuple[str, str], Event] = {}
        self._told: dict[tuple[str, str], list[int]] = {}
        self._changed = threading.Condition()

    def start(self) -> None:
        gate = self

        class Handler(_Handler):
            answer = staticmethod(gate._answer)

        self.path.unlink(missing_ok=True)
        self._server = _Server(str(self.path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        for server in (self._server, self._http):
            if server is not None:
                server.shutdown()
                server.server_close()
        self._server = self._http = None
        self.path.unlink(missing_ok=True)

    def log(self) -> list[Event]:
        with self._changed:
            return list(self._events)

    def held(self) -> list[str]:
        """The requests that wait for an approval."""
        with self._changed:
            return [r for (_, r), a in self._answers.items() if a["decision"] == "hold"]

    def rule(self, request: str, decision: str, args: Event | None = None) -> None:
        """As an operator would."""
        with self._changed:
            key = next(key for key in self._answers if key[1] == request)
            answer = self._answers[key]
            kind = "approval.granted" if decision == "grant" else "approval.denied"
            self._record(key[0], {"kind": kind, "call": answer["call"]})
            if decision == "grant":
                event = {"kind": "tool.requested", "call": answer["call"]}
                answer |= {"decision": "allow"} | ({"args": args} if args is not None else {})
            else:
                event = {"kind": "tool.denied", "call": answer["call"]}
                answer |= {"decision": "deny", "message": "This call was refused before it ran."}
            self._record(key[0], event | ({"args": args} if args is not None else {}))
            self._changed.notify_all()

    def _answer(self, method: str, path: str, body: Event) -> tuple[int, Event]:
        parts = urlsplit(path)
        match method, parts.path:
            case "POST", "/v1/sessions":
                return self._open(body)
            case "POST", "/v1/ask":
                return self._ask(body)
            case "POST", "/v1/tell":
                return self._tell(body)
            case "GET", "/v1/answers":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                return self._wait(asked)
        return _failure(404, "no such page")

    def _open(self, body: Event) -> tuple[int, Event]:
        with self._changed:
            session = body.pop("session")
            if self._has_ended(session):
                return _failure(409, "the session has ended; open another, with a new id")
            is_resumed = session in self._names
            names = self._names.setdefault(session, body)
            if any(names.get(name) != value for name, value in body.items()):
                return _failure(409, "`user` of the session cannot change after its begin")
            if not is_resumed:
                self._record(session, {"kind": "session.started", **body})
            return 200, {"session": session, "principal": "p", "is_resumed": is_resumed, "seq": 0}

    def _ask(self, body: Event) -> tuple[int, Event]:
        with self._changed:
            session, request = body["session"], body.setdefault("request", uuid.uuid4().hex)
            if (session, request) in self._answers:
                return 200, self._answers[session, request]
            if self._has_ended(session):
                return _failure(409, "the session has ended; open another, with a new id")
            assert set(body) <= {"session", "request", "tool", "args", "call", "attributes"}
            body.setdefault("call", request)
            decision = {"delete": "deny", "pay": "hold"}.get(body["tool"], "allow")
            kind = {"deny": "tool.denied", "hold": "approval.requested"}.get(decision)
            event = {k: v for k, v in body.items() if k not in ("session", "request")}
            seq = self._record(session, event | {"kind": kind or "tool.requested"}, request)
            answer: Event = {
                "decision": decision,
                "request": request,
                "call": body.get("call", request),
                "session": session,
                "seq": seq,
            }
            if decision != "allow":
                answer["message"] = "This call was refused before it ran: nothing is deleted."
                answer["incident"] = "i-1"
                answer["invariants"] = [{"id": "nothing-deleted", "summary": "", "finding": "f-1"}]
            if decision == "hold":
                answer["approval"] = {"id": f"a-{request}", "expires_ns": 0}
            self._answers[session, request] = answer
            return 200, answer

    def _wait(self, asked: Event) -> tuple[int, Event]:
        with self._changed:
            answer = self._answers.get((asked["session"], asked["request"]))
            if answer is None:
                return _failure(404, "no such request")
            self._changed.wait_for(lambda: answer["decision"] != "hold", float(asked["wait_s"]))
            return 200, answer

    def _tell(self, body: Event) -> tuple[int, Event]:
        with self._changed:
            session, request = body["session"], body["request"]
            if (session, request) in self._told:
                return 200, {"seq": self._told[session, request]}
            if self._has_ended(session):
                return _failure(409, "the session has ended; open another, with a new id")
            for event in body["events"]:
                if event["kind"] in ("control.applied", "tool.denied"):
                    return _failure(400, f"not an event of agents: {event['kind']}")
            seq = [self._record(session, event) for event in body["events"]]
            self._told[session, request] = seq
            return 200, {"seq": seq}

    def _has_ended(self, session: str) -> bool:
        return any(e["session"] == session and e["kind"] == "session.ended" for e in self._events)

    def _record(self, session: str, event: Event, request: str = "") -> int:
        seq = sum(told["session"] == session for told in self._events)
        gate = {"gate": {"request": request}} if request else {}
        self._events.append({**event, "session": session, "seq": seq, **gate})
        return seq


def _failure(status: int, message: str) -> tuple[int, Event]:
    return status, {"error": {"code": "code", "message": message}}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no fault of the server."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Any

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def address_string(self) -> str:
        return "local"

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""

    def _respond(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else {}
        status, told = self.answer(self.command, self.path, body)
        encoded = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)
