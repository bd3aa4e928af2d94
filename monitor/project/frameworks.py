"""The frameworks that adapters connect: how a project names them, and the lines that connect one.

Input: names of packages and of imported modules. Output: lines of code, as docs/connecting.md has
them (`tests/unit/test_project.py`). Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec


class Framework(msgspec.Struct, frozen=True):
    """A framework by the names of its `packages` and `modules`; `lines` connect an agent of it.

    `GATE` in a line stands for the gate's address.
    """

    name: str
    packages: frozenset[str]
    modules: frozenset[str]
    lines: tuple[str, ...]


def _named(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _lines(adapter: str, taken: str, *uses: str, has_user: bool = False) -> tuple[str, ...]:
    user = ', user="ada"' if has_user else ""
    return (
        "from interlock import Client",
        f"from interlock.adapters.{adapter} import {taken}",
        f'client = Client(gate="GATE", agent="support-bot"{user})',
        *uses,
    )


_SESSION: Final = "with client.session() as session:"
FRAMEWORKS: Final = (
    Framework(
        "Claude Agent SDK",
        _named("claude-agent-sdk"),
        _named("claude_agent_sdk"),
        (
            "from interlock import Client",
            "from interlock.adapters.claude_agent_sdk import interlock_hooks",
            'client = Client(gate="GATE", agent="coder", user="ada")',
            "options = ClaudeAgentOptions(hooks=interlock_hooks(client))",
        ),
    ),
    Framework(
        "CrewAI",
        _named("crewai"),
        _named("crewai"),
        _lines(
            "crewai",
            "guarded",
            _SESSION,
            "    answer = guarded(crew, session).kickoff("
            'inputs={"question": "What is in today\'s inbox?"})',
            has_user=True,
        ),
    ),
    Framework(
        "Google ADK",
        _named("google-adk"),
        _named(""),  # `google` is many packages.
        _lines(
            "google_adk",
            "Interlock",
            'app = App(name="support", root_agent=agent, plugins=[Interlock(client)])',
        ),
    ),
    Framework(
        "LangChain and LangGraph",
        _named("langchain langchain-core langgraph"),
        _named("langchain langchain_core langgraph"),
        _lines(
            "langchain",
            "InterlockMiddleware",
            "agent = create_agent(model, tools, middleware=[InterlockMiddleware(client)])",
        ),
    ),
    Framework(
        "LlamaIndex",
        _named("llama-index llama-index-core"),
        _named("llama_index"),
        _lines(
            "llama_index",
            "guarded",
            _SESSION,
            '    answer = await guarded(agent, session).run("What is in today\'s inbox?")',
            has_user=True,
        ),
    ),
    Framework(
        "Microsoft Agent Framework",
        _named("agent-framework agent-framework-core"),
        _named("agent_framework"),
        _lines(
            "agent_framework",
            "Interlock",
            "agent = Agent(client=chat_client, tools=tools, middleware=[Interlock(client)])",
        ),
    ),
    Framework(
        "OpenAI Agents SDK",
        _named("openai-agents"),
        _named(""),  # `agents` may be a folder of the project.
        _lines(
            "openai_agents",
            "guarded",
            _SESSION,
            '    result = Runner.run_sync(guarded(agent, session), "What is in today\'s inbox?")',
            has_user=True,
        ),
    ),
    Framework(
        "Pydantic AI",
        _named("pydantic-ai pydantic-ai-slim"),
        _named("pydantic_ai"),
        _lines(
            "pydantic_ai",
            "Interlock",
            "agent = Agent(model, tools=tools, capabilities=[Interlock(client)])",
        ),
    ),
    Framework(
        "smolagents",
        _named("smolagents"),
        _named("smolagents"),
        _lines(
            "smolagents",
            "guarded",
            _SESSION,
            '    answer = guarded(agent, session).run("What is in today\'s inbox?")',
            has_user=True,
        ),
    ),
    Framework(
        "Strands Agents",
        _named("strands-agents"),
        _named("strands"),
        _lines(
            "strands",
            "Interlock",
            "agent = Agent(model=model, tools=tools, plugins=[Interlock(client)])",
        ),
    ),
)
PYTHON: Final = Framework(
    "Python without a framework that has an adapter",
    frozenset(),
    frozenset(),
    (
        "from interlock import Client, Refused",
        'client = Client(gate="GATE", agent="support-bot", user="ada")',
        _SESSION,
        '    mails = session.call("read_inbox", read_inbox, limit=20)',
    ),
)


def found_frameworks(packages: Collection[str], modules: Collection[str]) -> list[Framework]:
    """The frameworks that a project requires or imports; Python's own lines if there is none."""
    found = [
        one
        for one in FRAMEWORKS
        if not one.packages.isdisjoint(packages) or not one.modules.isdisjoint(modules)
    ]
    return found or [PYTHON]


def connecting_lines(framework: Framework, gate: str) -> list[str]:
    """The lines, with the gate's address."""
    return [line.replace("GATE", gate) for line in framework.lines]
