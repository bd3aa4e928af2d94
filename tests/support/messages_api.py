"""A scripted model that speaks the Messages API on a port of loopback.

    with ScriptedModel() as model:
        ...ANTHROPIC_BASE_URL=model.url
    script([call("Bash", command="ls")], ["It is done."])    -> the text of a prompt

A prompt contains its own script: the turns of the model, each a list of texts and calls. The model
gives the turn that comes behind those that it has given since that prompt. So a subagent, whose
prompt is an argument of a call, has a script of its own. `model.read` are the results of calls that
the model has read, each with its id.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

MARK: Final = "SCRIPT:"
DONE: Final = ["done"]
Turn = list[Any]


def call(tool: str, **args: Any) -> dict[str, Any]:
    """A call in a turn."""
    return {"tool": tool, "input": args}


def script(*turns: Turn) -> str:
    """A prompt with a script."""
    return MARK + json.dumps(turns)


class ScriptedModel:
    """The server; it answers until the end of the block."""

    def __init__(self) -> None:
        self.read: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.read))
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(read: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.partition("?")[0] != "/v1/messages":
                self._reply(b'{"input_tokens": 1}')
                return
            read.update(_results(asked["messages"]))
            message = _message(asked)
            if asked.get("stream"):
                events = b"".join(_streamed(message))
                self._reply(events, "text/event-stream")
            else:
                self._reply(json.dumps(message).encode())

        def _reply(self, body: bytes, media_type: str = "application/json") -> None:
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _results(messages: list[Any]) -> Iterator[tuple[str, str]]:
    for message in messages:
        for part in _parts(message):
            if part["type"] == "tool_result":
                content = part["content"]
                texts = [content] if isinstance(content, str) else [c["text"] for c in content]
                yield part["tool_use_id"], "".join(texts)


def _turn(messages: list[Any]) -> Turn:
    turns: list[Turn] = []
    given = 0
    for message in messages:
        for part in _parts(message) if message["role"] == "user" else ():
            if MARK in part.get("text", ""):
                text = part["text"].partition(MARK)[2]
                turns, given = json.JSONDecoder().raw_decode(text)[0], 0
        given += message["role"] == "assistant"
    return turns[given] if given < len(turns) else DONE


def _message(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The whole message; ids are unique in a conversation, as those of a real model are."""
    place = len(asked["messages"])
    content: list[dict[str, Any]] = []
    for index, part in enumerate(_turn(asked["messages"])):
        if isinstance(part, str):
            content.append({"type": "text", "text": part})
        else:
            called = {"id": f"toolu_{place}_{index}", "name": part["tool"], "input": part["input"]}
            content.append({"type": "tool_use", **called})
    has_calls = any(part["type"] == "tool_use" for part in content)
    return {
        "id": f"msg_{place}",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": content,
        "stop_reason": "tool_use" if has_calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _streamed(message: Mapping[str, Any]) -> Iterator[bytes]:
    yield _event("message_start", message={**message, "content": [], "stop_reason": None})
    for index, part in enumerate(message["content"]):
        is_text = part["type"] == "text"
        begin = {**part, "text": ""} if is_text else {**part, "input": {}}
        yield _event("content_block_start", index=index, content_block=begin)
        delta = {"type": "text_delta", "text": part["text"]} if is_text else _input(part)
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=end, usage={"output_tokens": 1})
    yield _event("message_stop")


def _input(part: Mapping[str, Any]) -> dict[str, str]:
    return {"type": "input_json_delta", "partial_json": json.dumps(part["input"])}


def _event(type_: str, **fields: Any) -> bytes:
    return f"event: {type_}\ndata: {json.dumps({'type': type_, **fields})}\n\n".encode()
