"""The samples of foreign traces: files under fixtures/foreign, with the name of their format."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOREIGN = Path(__file__).resolve().parents[2] / "fixtures" / "foreign"


class Sample(NamedTuple):
    """One file."""

    name: str
    format: str

    @property
    def content(self) -> bytes:
        return (FOREIGN / self.name).read_bytes()


SAMPLES = tuple(
    Sample(*one)
    for one in (
        ("claude_code_transcript.jsonl", "claude-code"),
        ("claude_code_recorded.jsonl", "claude-code"),
        ("codex_rollout.jsonl", "codex"),
        ("codex_rollout_fork.jsonl", "codex"),
        ("claude_code_pretooluse_in.json", "claude-code-hooks"),
        ("claude_code_pretooluse_mcp_subagent_in.json", "claude-code-hooks"),
        ("claude_code_posttooluse_in.json", "claude-code-hooks"),
        ("claude_code_posttoolusefailure_in.json", "claude-code-hooks"),
        ("claude_code_hooks.jsonl", "claude-code-hooks"),
        ("mcp_tools_call_request.json", "mcp"),
        ("mcp_tools_call_result_denied.json", "mcp"),
        ("mcp_jsonrpc_error.json", "mcp"),
        ("mcp_proxy_log.jsonl", "mcp"),
        ("mcp_proxy_log_both_ways.jsonl", "mcp"),
        ("swe_agent.traj.json", "swe-agent"),
        ("swe_agent_function_calls.traj.json", "swe-agent"),
        ("openhands_events.jsonl", "openhands"),
        ("openhands_server_events.json", "openhands"),
        ("openhands_sdk_events.jsonl", "openhands"),
        ("openhands_output.jsonl", "openhands"),
        ("gemini_session.json", "gemini-cli"),
        ("gemini_session_lines.jsonl", "gemini-cli"),
        ("langsmith.jsonl", "langsmith"),
        ("langsmith_tree.json", "langsmith"),
        ("langfuse_trace.json", "langfuse"),
        ("langfuse_observations.jsonl", "langfuse"),
        ("kubernetes_audit.jsonl", "kubernetes-audit"),
        ("kubernetes_audit_list.json", "kubernetes-audit"),
        ("cloudtrail.json", "cloudtrail"),
        ("agentdojo.json", "agentdojo"),
        ("agentdojo_injected.json", "agentdojo"),
        ("atif.json", "atif"),
        ("atif_subagent.json", "atif"),
        ("otlp_json_execute_tool.json", "otlp-json"),
        ("otlp_json_mcp_client_span.json", "otlp-json"),
        ("otlp_recorded.jsonl", "otlp-json"),
        ("otlp_vercel.json", "otlp-json"),
        ("otel_console_recorded.json", "otel-console"),
        ("cloudevents_recorded.jsonl", "cloudevents"),
    )
)
