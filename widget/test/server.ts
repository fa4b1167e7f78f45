// A small server of the HTTP contract on a loopback port, for the tests of the conversation.

import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Client } from "../src/client.js";
import { Conversation } from "../src/conversation.js";
import type { Message, Sink } from "../src/message.js";
import { Slot, type TabState, type Visitor } from "../src/storage.js";

export interface Call {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: any;
}

/** What a route does; the default answers stand in class Backend. */
type Route = (call: Call, res: ServerResponse) => void;

export function json(res: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  res.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(value));
}

export function refuse(res: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  json(res, status, { error: { message: "no", type: "test", param: null, code, request_id: "req_1" } }, headers);
}

/** The frames of an answer, with ids from 1. */
export function frames(text: string[]): string[] {
  const all = text.map((content) => JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }));
  all.push(JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }), "[DONE]");
  return all.map((data, i) => `id: ${i + 1}\ndata: ${data}\n\n`);
}

/** A frame that tells of a tool, and what a heartbeat looks like. */
export function toolFrame(id: number, tool: object): string {
  return `id: ${id}\ndata: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: null }], clawless: { model: "m", tool } })}\n\n`;
}

export class Backend {
  calls: Call[] = [];
  text = ["Hel", "lo ", "wörld ", "🎉"];
  sessions = new Map<string, { id?: string; role: string; content: string; run_id?: string }[]>();
  /** Overrides by "METHOD /path", each used as long as it is there. */
  routes: Record<string, Route> = {};
  #server: Server;
  #tokens = 0;

  constructor() {
    this.#server = createServer((req, res) => void this.#serve(req, res));
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  count(method: string, path: string): number {
    return this.calls.filter((c) => c.method === method && c.path === path).length;
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let text = "";
    for await (const piece of req) text += piece;
    const call: Call = { method: req.method!, path: req.url!.split("?")[0]!, headers: req.headers, body: text ? JSON.parse(text) : null };
    this.calls.push(call);
    const name = `${call.method} ${call.path}`;
    const route = this.routes[name] ?? this.#defaults[name.replace(/ses_\d+/, "ID").replace(/run_\d+/, "ID")];
    if (route) route(call, res);
    else refuse(res, 404, "not_found");
  }

  #defaults: Record<string, Route> = {
    "POST /v1/widget/session": (_, res) =>
      json(res, 200, { token: `token_${++this.#tokens}`, expires_at: new Date(Date.now() + 900_000).toISOString(), visitor_id: "vis_1", visitor_secret: "secret", session_id: null }),
    "POST /v1/sessions": (_, res) => {
      const id = `ses_${this.sessions.size + 1}`;
      this.sessions.set(id, []);
      json(res, 201, { id });
    },
    "GET /v1/sessions/ID/messages": (call, res) => {
      const messages = this.sessions.get(call.path.split("/")[3]!);
      if (!messages) return refuse(res, 404, "not_found");
      json(res, 200, { data: messages, has_more: false, next_cursor: null });
    },
    "POST /v1/chat/completions": (call, res) => {
      this.accept(call);
      stream(res, frames(this.text).join(""));
    },
    "GET /v1/runs/ID": (call, res) => json(res, 200, { id: call.path.split("/")[3], status: "completed" }),
    "GET /v1/runs/ID/stream": (call, res) => stream(res, frames(this.text).slice(Number(call.headers["last-event-id"] ?? 0)).join("")),
    "POST /v1/runs/ID/approve": (_, res) => json(res, 200, {}),
    "POST /v1/runs/ID/cancel": (_, res) => json(res, 200, {}),
  };

  /** Records the question of a turn. */
  accept(call: Call): void {
    const said = this.sessions.get(call.body.session_id);
    if (call.body.messages) said?.push({ id: `msg_${said.length + 1}`, role: "user", content: call.body.messages[0].content, run_id: "run_1" });
  }
}

/** Sends the bytes of a stream; with a cut, the connection is destroyed after so many. */
export function stream(res: ServerResponse, text: string, cut = -1): void {
  res.writeHead(200, { "Content-Type": "text/event-stream", "Clawless-Run-Id": "run_1" });
  res.flushHeaders();
  if (cut < 0) {
    res.end(text);
    return;
  }
  const part = Buffer.from(text).subarray(0, cut);
  if (part.length) res.write(part, () => res.destroy());
  else res.destroy();
}

/** A conversation whose sink notes what happens, and whose waiting takes no time. */
export class Visit {
  log: string[] = [];
  shown = new Map<Message, string>();
  online = true;
  waited: number[] = [];
  wake: () => void = () => undefined;
  conversation: Conversation;
  client: Client;
  #ids: number;
  #watchers: (() => void)[] = [];

  constructor(server: string, readonly visitor: Slot<Visitor>, readonly tab: Slot<TabState>, firstId = 0) {
    this.#ids = firstId;
    this.client = new Client(server, "clw_pk_test", visitor);
    const sink: Sink = {
      added: (m) => this.#note(`+${m.role}`, () => this.shown.set(m, m.text)),
      removed: (m) => this.#note(`-${m.role}`, () => this.shown.delete(m)),
      text: (m, delta) => this.#note("", () => this.shown.set(m, this.shown.get(m)! + delta)),
      changed: (m) => this.#note(`${m.role} ${m.state}`, () => this.shown.set(m, m.text)),
      busy: (busy) => this.#note(busy ? "busy" : "idle", () => undefined),
      lost: (lost) => this.#note(lost ? "lost" : "", () => undefined),
    };
    this.conversation = new Conversation(this.client, visitor, tab, sink, {
      online: () => this.online,
      newId: () => `id${++this.#ids}`,
      wait: async (ms, signal) => {
        this.waited.push(ms);
        await new Promise((next) => setTimeout(next, ms === 3000 ? 60_000 : 1).unref());
        signal.throwIfAborted();
      },
      whenOnline: async (signal) => signal.throwIfAborted(),
    });
  }

  #note(what: string, then: () => void): void {
    then();
    if (what) this.log.push(what);
    for (const watch of [...this.#watchers]) watch();
  }

  /** Resolves when the condition holds after some event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = () => {
        if (!condition()) return;
        this.#watchers = this.#watchers.filter((w) => w !== watch);
        resolve();
      };
      this.#watchers.push(watch);
      watch();
    });
  }

  get last(): Message | undefined {
    return this.conversation.messages.at(-1);
  }

  /** Resolves when the newest message is an answer in this state. */
  async answered(state: Message["state"] = "done"): Promise<Message> {
    await this.until(() => this.last?.role === "assistant" && this.last.state === state && this.log.at(-1) === "idle");
    return this.last!;
  }

  transcript(): string[] {
    return this.conversation.messages.map((m) => `${m.role}: ${m.text}`);
  }
}

/** A slot that only memory backs, as in a browser that blocks storage. */
export function slot<T extends object>(): Slot<T> {
  return new Slot<T>("localStorage", "test");
}
