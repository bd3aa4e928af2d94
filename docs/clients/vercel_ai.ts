// Gates the tools of the Vercel AI SDK 7. Copy it beside gate.ts:
//   const gate = connect(address, token, session);
//   await generateText({ model, prompt, tools: gated(tools, gate), stopWhen: stepCountIs(10) });
// A refused call throws in `execute`: the model reads the gate's sentence as the tool's error, and goes on.
import type { ToolExecutionOptions, ToolSet } from "ai";
import type { connect, Told } from "./gate.js";

type Args = Record<string, unknown>;
type Options = ToolExecutionOptions<any>;
type Execute = (input: unknown, options: Options) => unknown;

// The call was not made.
export class Refused extends Error {
  override name = "Refused";
}

const RESULT_CHARACTERS_MAX = 200_000;
const CALLS_MAX = 1_000;

// The same tools for one session, which is that of `gate`. Tools without `execute` stay as they are.
export function gated<TOOLS extends ToolSet>(tools: TOOLS, gate: ReturnType<typeof connect>): TOOLS {
  const seen = new Map<string, number>();
  let unreported: unknown;

  // An SDK that tries again repeats the id, and each attempt is a call of its own: ID, ID~2, ...
  function callId(id: string): string | undefined {
    if (!/^[\w.:@=+-]{1,128}$/.test(id)) return undefined;
    const count = (seen.get(id) ?? 0) + 1;
    seen.delete(id);
    seen.set(id, count);
    if (seen.size > CALLS_MAX) seen.delete(seen.keys().next().value!);
    return count === 1 ? id : `${id}~${count}`;
  }

  // The gate judges a call by the outcomes before it, so without one of them no further call is made.
  async function report(event: Told): Promise<void> {
    await gate.tell(event).catch((error: unknown) => { throw (unreported = error); });
  }

  async function begin(tool: string, input: unknown, options: Options) {
    if (unreported !== undefined) throw new Refused("This call was not made: the gate lacks an earlier outcome.");
    const asked = isRecord(input) ? input : { input };
    const answer = await gate.ask(tool, asked, callId(options.toolCallId));
    if (answer.decision !== "allow") throw new Refused(answer.message || "This call was refused before it ran.");
    const args = answer.args ?? asked;
    const about = { tool, call: answer.call, args };
    return {
      input: answer.args ?? input,
      completed: (result: unknown) => report({ kind: "tool.completed", ...about, ...told(result) }),
      failed: (error: unknown) => report({ kind: "tool.failed", ...about, error: String(error) }),
    };
  }

  function plain(tool: string, execute: Execute): Execute {
    return async (input, options) => {
      const call = await begin(tool, input, options);
      let result: unknown;
      try {
        options.abortSignal?.throwIfAborted(); // The call may have waited for an operator.
        result = await execute(call.input, options);
        if (isIterable(result)) for await (const part of result) result = part;
      } catch (error) {
        await call.failed(error);
        throw error;
      }
      await call.completed(result);
      return result;
    };
  }

  function streaming(tool: string, execute: Execute): Execute {
    return async function* (input, options) {
      const call = await begin(tool, input, options);
      let last: unknown;
      let failure: { error: unknown } | undefined;
      try {
        options.abortSignal?.throwIfAborted();
        for await (const part of execute(call.input, options) as AsyncIterable<unknown>) yield (last = part);
      } catch (error) {
        failure = { error };
        throw error;
      } finally {
        await (failure ? call.failed(failure.error) : call.completed(last));
      }
    };
  }

  const wrap = (name: string, tool: ToolSet[string]) => {
    const execute = tool.execute as Execute | undefined;
    if (execute === undefined) return tool;
    // The SDK looks at what `execute` returns, before it is awaited, so both forms stay what they are.
    const isStreaming = execute.constructor.name === "AsyncGeneratorFunction";
    return { ...tool, execute: (isStreaming ? streaming : plain)(name, execute.bind(tool)) };
  };
  return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, wrap(name, tool)])) as TOOLS;
}

function isRecord(value: unknown): value is Args {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

// JSON in UTF-8 has no lone surrogates, which a text of JavaScript may have.
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

// A result as JSON. One that does not fit into an event is cut, which the event states.
function told(result: unknown): Pick<Told, "result" | "attributes"> {
  let text: string;
  try {
    text = JSON.stringify(result, (_, value) => typeof value === "string" ? wellFormed(value) : value) ?? "null";
  } catch {
    return { result: { $interlock_unserialisable: typeof result }, attributes: { interlock_result_unserialisable: 1 } };
  }
  if (text.length <= RESULT_CHARACTERS_MAX) return { result: JSON.parse(text) };
  const whole = typeof result === "string" ? result : text;
  return { result: wellFormed(whole.slice(0, RESULT_CHARACTERS_MAX)), attributes: { interlock_result_length: whole.length } };
}
