"""A server of MCP on standard input and output that is not strict, and says what its tool says.

python mcp_stdio_server.py LOG      each line that arrives is a line of LOG
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

SIZE = 17 * 1024 * 1024


def say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.flush()


def respond(id_: Any, tool: str) -> None:
    """What a tool of this name answers."""
    result = {"content": [{"type": "text", "text": os.environ.get("INTERLOCK_GATE_TOKEN", "none")}]}
    said = json.dumps({"jsonrpc": "2.0", "id": id_, "result": result}).encode()
    if tool == "noise":
        say(b"a line of a log")
        say(b'{"jsonrpc":"2.0","id":99,"result":{}}')
    elif tool == "twice":
        said = said.replace(b'"result"', b'"result":{"content":[]},"result"')
    elif tool == "flood":
        said = b" " * SIZE + said
    elif tool == "exit":
        sys.exit(7)
    elif tool == "silent":
        return
    say(said)


def main(log: Path) -> None:
    for line in sys.stdin.buffer:
        with log.open("ab") as file:
            file.write(line)
        message = json.loads(line)
        if message.get("method") == "tools/call":
            respond(message["id"], message["params"]["name"])
        elif "id" in message and "method" in message:
            say(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
