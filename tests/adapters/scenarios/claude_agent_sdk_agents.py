"""Agents of the Claude Agent SDK with a scripted model; run in an environment of its own.

claude_agent_sdk_agents.py GATE '{"prompt", "cwd", "case", "env"}' -> {"results"}
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
)

from interlock import Client
from interlock.adapters.claude_agent_sdk import interlock_hooks


async def run(gate: str, given: dict[str, Any]) -> dict[str, list[Any]]:
    case = given["case"]
    client = Client(gate=gate, agent="coder", user="ada")
    hooks = interlock_hooks(
        client,
        messages=case != "silent",
        redact=str.upper if case == "redacted" else None,
        wait_s=1,
    )
    options = ClaudeAgentOptions(
        hooks=hooks,
        allowed_tools=["Bash", "Read"],
        cwd=given["cwd"],
        env=given["env"],
        setting_sources=[],
    )
    told: dict[str, list[Any]] = {"results": []}
    async with ClaudeSDKClient(options) as agent:
        await agent.query(given["prompt"])
        async for message in agent.receive_response():
            if isinstance(message, ResultMessage):
                told["results"].append(message.result)
    client.close()
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], json.loads(sys.argv[2])))))
