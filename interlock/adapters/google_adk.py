"""Google ADK: a plugin that asks before each call of a tool.

    app = App(name="support", root_agent=agent, plugins=[Interlock(client)])

A refused call is not made: the model gets one sentence as the result of the call, and goes on. A
session is the session of the framework, by its application, user and id; later runs resume it.

Seen: calls of tools by all agents of the app, with their ids; in parallel, live and in workflows,
too. An agent that is a tool belongs to the session of its caller.
Not seen: tools that a model's provider runs itself. Others that nothing asks for are not accepted:
code executors of this side, and agents as tools that have no plugins.
"""

from __future__ import annotations

from collections.abc import Collection
from types import MethodType
from typing import Any
from urllib.parse import quote

from google.adk.agents.base_agent import BaseAgent
from google.adk.agents.callback_context import CallbackContext
from google.adk.agents.invocation_context import InvocationContext
from google.adk.code_executors.built_in_code_executor import BuiltInCodeExecutor
from google.adk.models.llm_response import LlmResponse
from google.adk.plugins.base_plugin import BasePlugin
from google.adk.sessions import Session
from google.adk.tools.agent_tool import AgentTool
from google.adk.tools.base_tool import BaseTool
from google.adk.tools.tool_context import ToolContext
from google.genai.types import Content

from ..calls import Edited
from ..client import Client
from ..errors import Refused, SettingError
from .running import Conversation, Conversations, Messages, Redact, made_async, note_result


class Interlock(BasePlugin):
    """Asks before each call, and reports it. Its place in the list of plugins has no effect on
    this.

    `messages`: publish what the user and the model say; `redact` changes these texts before.
    `unseen`: names of agents whose code, and of agents as tools whose calls, may run without being
    asked for.
    """

    def __init__(
        self,
        client: Client,
        *,
        messages: bool = True,
        redact: Redact | None = None,
        unseen: Collection[str] = (),
    ) -> None:
        super().__init__("interlock")
        self._unseen = frozenset(unseen)
        self.conversations = Conversations(client)
        self._messages = Messages(are_published=messages, redact=redact)

    async def on_user_message_callback(
        self, *, invocation_context: InvocationContext, user_message: Content
    ) -> None:
        """A run begins: the user's message. That of a nested agent is an argument of its call."""
        if self.conversations.caller() is None:
            self._messages.of_user(self.of(invocation_context.session).session, _text(user_message))

    async def before_agent_callback(
        self, *, agent: BaseAgent, callback_context: CallbackContext
    ) -> None:
        """An agent begins. An error here ends the run.

        Raises
        ------
        SettingError
            Code that its model writes would run here without being asked for.
        """
        executor = getattr(agent, "code_executor", None)
        if executor is not None and not isinstance(executor, BuiltInCodeExecutor):
            self._refuse_unless_named(agent.name, "runs code by a code executor")

    async def after_model_callback(
        self, *, callback_context: CallbackContext, llm_response: LlmResponse
    ) -> None:
        """The model has answered: its text, if there is one. The whole follows what is streamed."""
        if self.conversations.caller() is None and not llm_response.partial:
            conversation = self.of(callback_context.session)
            self._messages.of_model(conversation.session, _text(llm_response.content))

    async def before_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext
    ) -> None:
        """The framework is about to run this tool: it asks as the last thing before it does.

        Callbacks of later plugins and of the agent may still change the arguments, and those behind
        the tool may replace its result, so this callback itself neither asks nor reports.
        """
        if isinstance(tool, AgentTool) and not tool.include_plugins:
            self._refuse_unless_named(tool.name, "is an agent without plugins")
        found = vars(tool).get("run_async")
        if not (isinstance(found, _Asking) and found.tool is tool):
            vars(tool)["run_async"] = _Asking(tool, found)

    def _refuse_unless_named(self, name: str, what: str) -> None:
        if name not in self._unseen:
            raise SettingError(
                f"`{name}` {what}, and nothing would ask for its calls; "
                f'`Interlock(client, unseen={{"{name}"}})` permits that'
            )

    def of(self, session: Session) -> Conversation:
        """The conversation of a session, or of the call that is in progress."""
        caller = self.conversations.caller()
        if caller is not None:
            return caller
        # Ids are unique for one user of one application; "%" and ":" are not left in the parts.
        parts = (session.app_name, session.user_id, session.id)
        return self.conversations.of(":".join(quote(part, safe="@+=") for part in parts))


class _Asking:
    """`run_async` of one tool. A tool may be shared by runners: the plugin is that of the run."""

    def __init__(self, tool: BaseTool, own: Any) -> None:
        self.tool = tool
        # A copy of a tool has the attribute of the tool of which it is the copy.
        is_own = own is not None and not isinstance(own, _Asking)
        self._run = own if is_own else MethodType(type(tool).run_async, tool)

    async def __call__(self, *, args: dict[str, Any], tool_context: ToolContext) -> Any:
        plugin = _plugin_of(tool_context)
        if plugin is None:
            return await self._run(args=args, tool_context=tool_context)
        conversation = plugin.of(tool_context.session)
        call = conversation.call(self.tool.name, args, tool_context.function_call_id or "")

        async def make(edited: Edited) -> Any:
            given = args if edited is None else dict(edited)
            with plugin.conversations.calling(conversation):
                return await self._run(args=given, tool_context=tool_context)

        try:
            return await made_async(call, make, note_result)
        except Refused as refused:
            return {"error": str(refused)}


def _plugin_of(tool_context: ToolContext) -> Interlock | None:
    plugins = tool_context.get_invocation_context().plugin_manager.plugins
    return next((plugin for plugin in plugins if isinstance(plugin, Interlock)), None)


def _text(content: Content | None) -> str:
    """The text of a message, without the model's thoughts, pictures and files."""
    parts = (content.parts if content else None) or []
    return "\n".join(part.text for part in parts if part.text and not part.thought)
