"""Agents of LlamaIndex with a scripted model; run in an environment of its own. See `scripted`."""

# Annotations are not postponed: the framework looks for the class `Context` among them.
import asyncio
from collections.abc import Iterator
from typing import Any

from llama_index.core.agent.workflow import (
    AgentOutput,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent
from scripted import ASKED, POST, Call, Outcome, Turn, http_post, main, pay, read_file, redact

from interlock import Client
from interlock.adapters.llama_index import guarded


def model_of(script: Iterator[Turn], how: str) -> MockFunctionCallingLLM:
    """Answers by a script, whatever it reads."""

    def answer(messages: Any, **more: Any) -> ChatMessage:
        turn = next(script)
        if how == "react":
            return ChatMessage(role="assistant", content=_in_react(turn))
        text = [TextBlock(text=turn.text)] if turn.text else []
        calls = [
            ToolCallBlock(tool_call_id=call.id, tool_name=call.tool, tool_kwargs=dict(call.args))
            for call in turn.calls
        ]
        return ChatMessage(role="assistant", blocks=[*text, *calls])

    return MockFunctionCallingLLM(response_generator=answer)


def _in_react(turn: Turn) -> str:
    """As a model without calls of tools writes them."""
    if not turn.calls:
        return f"Thought: I can answer.\nAnswer: {turn.text}"
    (call,) = turn.calls
    return f"Thought: {turn.text or 'on'}\nAction: {call.tool}\nAction Input: {dict(call.args)}"


async def post_in_context(context: Context, url: str, body: str) -> str:
    """Post, with the context of the workflow."""
    assert isinstance(context, Context)
    return http_post(url, body)


async def confirm(context: Context, amount: int) -> str:
    """Pay, if a person agrees."""
    await context.wait_for_event(HumanResponseEvent, waiter_event=InputRequiredEvent())
    return pay(amount)


def agent_of(script: Iterator[Turn], how: str) -> Any:
    model = model_of(script, how)
    tools: list[Any] = [read_file, http_post, pay, confirm]
    if how == "context":
        tools[1] = FunctionTool.from_defaults(
            post_in_context, name="http_post", partial_params={"body": "fixed"}
        )
    if how == "code":
        return CodeActAgent(code_execute_fn=read_file, name="coder", tools=tools, llm=model)
    kind: Any = ReActAgent if how == "react" else FunctionAgent
    if how != "handing":
        return kind(tools=tools, llm=model, streaming=how != "whole")
    reader = FunctionAgent(name="reader", description="reads", tools=[read_file], llm=model)
    poster = FunctionAgent(name="poster", description="posts", tools=[http_post], llm=model)
    return AgentWorkflow(agents=[reader, poster], root_agent="reader")


async def run_case(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    turns, outcome = list(script), Outcome()
    if how == "context":
        # The developer has fixed the body, so the model does not know of it.
        post = Call("http_post", {"url": POST.args["url"]}, "c2")
        turns[1] = Turn(calls=(post,))
    if how == "handing":
        hand_over = Call("handoff", {"to_agent": "poster", "reason": "it posts"}, "h1")
        turns.insert(1, Turn(calls=(hand_over,)))
    agent = agent_of(iter(turns), how)
    with client.session(case) as session:
        used = guarded(agent, session, redact=redact, messages=how != "silent")
        handler = used.run(ASKED) if how == "whole" else used.run(user_msg=ASKED)
        async for event in handler.stream_events():
            if isinstance(event, ToolCallResult):
                outcome.read.append([event.tool_id, str(event.tool_output)])
            if isinstance(event, InputRequiredEvent):
                handler.ctx.send_event(HumanResponseEvent(response="yes"))
        answer: AgentOutput = await handler
    assert "run" not in vars(agent)  # The agent itself is not changed.
    outcome.final = answer.response.content or ""
    return outcome


def run(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    return asyncio.run(run_case(client, case, how, script))


if __name__ == "__main__":
    main("llama-index", run)
