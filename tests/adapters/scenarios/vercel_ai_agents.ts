// Agents of the Vercel AI SDK with a scripted model, as the other scenarios have them.
//
//   node vercel_ai_agents.js GATE SCRIPTS CASE...      prints what became of each case, as one line of JSON
import { generateText, stepCountIs, streamText, tool, type ToolSet } from "ai";
import { MockLanguageModelV4, simulateReadableStream } from "ai/test";
import { z } from "zod";
import { connect } from "./gate.js";
import { gated } from "./vercel_ai.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };
type Call = { tool: string; args: Record<string, unknown>; id: string };
type Turn = { text: string; calls: Call[] };
type Outcome = { ran: unknown[]; read: string[][]; final: string; error: string };

const [, , address, scripts, ...cases] = process.argv;
const SCRIPTS = JSON.parse(scripts!) as Record<string, Turn[]>;
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

function toolsOf(how: string, ran: unknown[]): ToolSet {
  const read = (path: string) => {
    ran.push(["read_file", path]);
    if (how === "long") return "a" + "\ud83d\ude00".repeat(150_000);
    return path.startsWith("/secrets") ? "TOKEN" : "notes";
  };
  const pathOf = z.object({ path: z.string() });
  return {
    read_file: how === "pieces"
      ? tool({ inputSchema: pathOf, async *execute({ path }) { yield "read"; yield read(path); } })
      : tool({ inputSchema: pathOf, execute: ({ path }) => read(path) }),
    http_post: tool({
      inputSchema: z.object({ url: z.string(), body: z.string() }),
      execute: async ({ url }) => {
        ran.push(["http_post", url]);
        if (url.includes("broken")) throw new Error("no route");
        return "200";
      },
    }),
    pay: tool({
      inputSchema: z.object({ amount: z.number() }),
      execute: ({ amount }) => {
        ran.push(["pay", amount]);
        return `paid ${amount}`;
      },
    }),
  };
}

function modelOf(script: Turn[]): MockLanguageModelV4 {
  const turns = script.values();
  const next = () => {
    const turn: Turn = turns.next().value!;
    const texts = turn.text ? [{ type: "text" as const, text: turn.text }] : [];
    const calls = turn.calls.map((call) => ({
      type: "tool-call" as const, toolCallId: call.id, toolName: call.tool, input: JSON.stringify(call.args),
    }));
    const finishReason = { unified: calls.length ? "tool-calls" as const : "stop" as const, raw: undefined };
    return { texts, calls, finishReason };
  };
  return new MockLanguageModelV4({
    doGenerate: async () => {
      const { texts, calls, finishReason } = next();
      return { content: [...texts, ...calls], finishReason, usage, warnings: [] };
    },
    doStream: async () => {
      const { texts, calls, finishReason } = next();
      const parts = texts.flatMap(({ text }) => [
        { type: "text-start" as const, id: "t" },
        { type: "text-delta" as const, id: "t", delta: text },
        { type: "text-end" as const, id: "t" },
      ]);
      const chunks = [...parts, ...calls, { type: "finish" as const, finishReason, usage }];
      return { stream: simulateReadableStream({ chunks }) };
    },
  });
}

async function run(name: string): Promise<Outcome> {
  const [script, how = ""] = name.split("-");
  const outcome: Outcome = { ran: [], read: [], final: "", error: "" };
  const gate = connect(address!, process.env["INTERLOCK_GATE_TOKEN"]!, name);
  if (how === "mute") {
    const { tell } = gate;
    gate.tell = async (...events) =>
      events.some((event) => event.kind === "tool.completed") ? Promise.reject(new Error("lost")) : tell(...events);
  }
  const model = modelOf(SCRIPTS[script!]!);
  const options = { model, prompt: "do it", tools: gated(toolsOf(how, outcome.ran), gate), stopWhen: stepCountIs(9) };
  outcome.final = how === "stream" ? await streamText(options).text : (await generateText(options)).text;
  const prompts = [...model.doGenerateCalls, ...model.doStreamCalls].at(-1)!.prompt;
  for (const message of prompts) {
    if (message.role !== "tool") continue;
    for (const part of message.content) {
      if (part.type === "tool-result" && "value" in part.output)
        outcome.read.push([part.toolCallId, String(part.output.value)]);
    }
  }
  return outcome;
}

const outcomes: Record<string, Outcome> = {};
for (const name of cases) outcomes[name] = await run(name);
console.log(JSON.stringify(outcomes));
