// A client of Interlock's gate for Node 20 or later, without dependencies: ask before each call, tell
// everything else. Retries carry the same request id, so the gate records each request once.
export type Answer = {
  decision: "allow" | "deny" | "hold"; request: string; call: string;
  message?: string; args?: Record<string, unknown>;
};
export type Told = {
  kind: string; tool?: string; call?: string; args?: Record<string, unknown>; result?: unknown; error?: string;
  text?: string; attributes?: Record<string, unknown>;
};

export function connect(address: string, token: string, session: string) {
  async function send(method: string, path: string, body?: object): Promise<any> {
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(address + path, {
        method, redirect: "error", signal: AbortSignal.timeout(35_000), body: body && JSON.stringify(body),
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      }).catch(() => undefined);
      if (response?.ok) return response.json();
      if (response && response.status < 500 && response.status !== 429) throw new Error(await response.text());
      if (attempt === 8) throw new Error(`the gate does not answer: ${response?.status ?? "no connection"}`);
      await new Promise((resolve) => setTimeout(resolve, 50 * 2 ** attempt));
    }
  }
  return {
    // Run the tool only if the decision is `allow`, and with `args` if the answer has them. `call` is the
    // model's own id of the call, which no other call of the session has.
    async ask(tool: string, args: Record<string, unknown>, call?: string): Promise<Answer> {
      const request = crypto.randomUUID();
      let answer: Answer = await send("POST", "/v1/ask", { session, request, tool, args, call });
      const poll = `/v1/answers?session=${encodeURIComponent(session)}&request=${request}&wait_s=25`;
      while (answer.decision === "hold") answer = await send("GET", poll);
      if (answer.request !== request) throw new Error("this is the answer to another request");
      return answer;
    },
    async tell(...events: Told[]): Promise<void> {
      await send("POST", "/v1/tell", { session, request: crypto.randomUUID(), events });
    },
  };
}
