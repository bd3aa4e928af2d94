"""A hook of Claude Code as a process: hands its input to a gate, and the gate's output back.

    python -I -S claude_relay.py SOCKET EVENT QUERY < input > output

`interlock init claude-code` writes this command. A process is started for each event, so it imports
next to nothing, not even its own package. It decides nothing. If the gate cannot be asked, a call
or a prompt is blocked (exit code 2), a report about a call ends the agent's run (the gate would not
know what the agent has seen), and any other event fails (exit code 1), which changes nothing.
"""

import os
import sys

INPUT_BYTES_MAX = 64 * 1024 * 1024
WHOLE_BYTES_MAX = 1024 * 1024
"""Chosen: a gate keeps the whole of smaller results alone (`monitor/claude_code/told.py`)."""
KEPT_CHARACTERS = 65_536
OUTPUT_BYTES_MAX = 4 * 1024 * 1024
SPARE_S = 10.0
"""Chosen: the gate's own time, besides the wait for an operator."""
BLOCKING = ("PreToolUse", "UserPromptSubmit")
OUTCOMES = ("PostToolUse", "PostToolUseFailure", "PostToolBatch")
SHOWN_CHARACTERS_MAX = 400


def main() -> int:
    """Relay one event; the exit code."""
    event = sys.argv[2] if len(sys.argv) == 4 else BLOCKING[0]
    is_told = False
    reason = "the hook failed"
    try:
        _, path, _, query = sys.argv
        output = _answer(path, query, _fitted(sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)))
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
        is_told = True
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it did not answer in time"
    finally:
        # Any error whatever ends here: Python's own exit code for it would let the call run.
        if not is_told:
            os._exit(_failed(event, f"Interlock's gate could not be asked: {reason}"))
    return 0


def without_results(told: dict[str, object]) -> dict[str, object]:
    """An event with the beginning of its result, and the length of the whole. The results of a
    batch were reported before, each with its call.
    """
    import json

    told = dict(told)
    if told.get("tool_response"):
        text = json.dumps(told["tool_response"])
        told["tool_response"] = text[:KEPT_CHARACTERS]
        told["tool_response_length"] = len(text)
    calls = told.get("tool_calls")
    if isinstance(calls, list):
        kept = ("tool_name", "tool_use_id")
        told["tool_calls"] = [{name: call.get(name) for name in kept} for call in calls]
    return told


def _fitted(body: bytes) -> bytes:
    """The event, without a result that is too long for a gate. Raises ValueError."""
    if len(body) > INPUT_BYTES_MAX:
        raise ValueError(f"the event has more than {INPUT_BYTES_MAX} bytes")
    if len(body) <= WHOLE_BYTES_MAX:
        return body
    import json

    return json.dumps(without_results(json.loads(body))).encode()


def _answer(path: str, query: str, body: bytes) -> bytes:
    """The body of the gate's answer. Raises OSError, ValueError."""
    # The module behind `socket`, whose import alone takes as long as the start of Python.
    from _socket import AF_UNIX, SOCK_STREAM, socket

    wait_s = query.partition("wait_s=")[2].partition("&")[0]
    token = os.environ.get("INTERLOCK_GATE_TOKEN", "")
    if not token.isascii() or not token.isprintable():
        raise ValueError("`INTERLOCK_GATE_TOKEN` is not a token")
    head = f"POST /v1/hooks/claude-code?{query} HTTP/1.1\r\n"
    head += "Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {token}\r\n" if token else ""
    head += f"Content-Length: {len(body)}\r\n\r\n"
    gate = socket(AF_UNIX, SOCK_STREAM)
    gate.settimeout(float(wait_s) + SPARE_S)
    gate.connect(path)
    parts, size = [], 0
    try:
        gate.sendall(head.encode() + body)
    except BrokenPipeError:
        size = 0  # Refused before it was read: the answer says why.
    while part := gate.recv(1 << 16):
        parts.append(part)
        size += len(part)
        if size > OUTPUT_BYTES_MAX:
            raise ValueError("its answer is too long")
    return _body(b"".join(parts))


def _body(response: bytes) -> bytes:
    """The whole body of a response with status 200. Raises ValueError."""
    head, _, body = response.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    lengths = [
        h.split(b":")[1].strip() for h in headers if h.lower().startswith(b"content-length:")
    ]
    if not status.startswith(b"HTTP/1.1 ") or lengths != [b"%d" % len(body)]:
        raise ValueError("its answer is not whole, or is not that of a gate")
    if status[9:12] != b"200":
        raise ValueError(_reason(body))
    return body


def _reason(body: bytes) -> str:
    """The gate's reason for an error; ValueError if there is none."""
    import json

    return str(json.loads(body)["error"]["message"])


def _failed(event: str, text: str) -> int:
    """Say why, in the form of the event; the exit code."""
    text = "".join(c if c.isprintable() else " " for c in text[:SHOWN_CHARACTERS_MAX])
    if event in OUTCOMES:
        import json

        os.write(1, json.dumps({"continue": False, "stopReason": text}).encode())
        return 0
    os.write(2, text.encode("utf-8", "replace") + b"\n")
    return 2 if event in BLOCKING else 1


if __name__ == "__main__":
    sys.exit(main())
