// Calls of the HTTP API on behalf of one visitor. The publishable key is only ever exchanged
// for a visitor token; the token is kept in memory, renewed before it expires and once on 401.

import type { Page, Run, Session, SessionMessage, WidgetSession } from "./api.js";
import { Failure, networkFailure, responseFailure } from "./failure.js";
import type { Slot, Visitor } from "./storage.js";

/** A token is renewed this long before it ends. */
const renewEarlyMs = 60_000;

export interface Request {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

export class Client {
  #token = "";
  /** On the clock of performance.now(), which no change of the wall clock moves. */
  #renewAt = 0;
  #renewal: Promise<WidgetSession> | null = null;

  readonly #key: string;
  readonly #visitor: Slot<Visitor>;

  constructor(readonly server: string, key: string, visitor: Slot<Visitor>) {
    this.#key = key;
    this.#visitor = visitor;
  }

  /** Gets a visitor token. Calls at the same time share one request. */
  connect(): Promise<WidgetSession> {
    this.#renewal ??= this.#exchange().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #exchange(): Promise<WidgetSession> {
    const { visitor_id, visitor_secret } = this.#visitor.read();
    const ask = (body: object) => this.#fetch("/v1/widget/session", this.#key, { method: "POST", body });
    let res = await ask(visitor_secret ? { visitor_id, visitor_secret } : {});
    if (visitor_secret && (res.status === 401 || res.status === 404)) {
      // The server no longer knows this visitor: be a new one, whose conversations are not these.
      this.#visitor.update({ visitor_secret: undefined, session_id: undefined });
      res = await ask({});
    }
    if (!res.ok) throw await responseFailure(res);
    const session = await json<WidgetSession>(res);
    this.#token = session.token;
    this.#renewAt = performance.now() + Math.max(lifetimeMs(session.expires_at) - renewEarlyMs, renewEarlyMs);
    this.#visitor.update({ visitor_id: session.visitor_id, visitor_secret: session.visitor_secret ?? visitor_secret });
    return session;
  }

  /** Answers any successful response; throws a Failure for every other outcome but an abort. */
  async request(path: string, req: Request = {}): Promise<Response> {
    if (!this.#token || performance.now() > this.#renewAt) await this.connect();
    const token = this.#token;
    let res = await this.#fetch(path, token, req);
    if (res.status === 401) {
      if (token === this.#token) await this.connect(); // else another call has renewed it meanwhile
      res = await this.#fetch(path, this.#token, req);
    }
    if (!res.ok) throw await responseFailure(res);
    return res;
  }

  async #fetch(path: string, bearer: string, req: Request): Promise<Response> {
    const headers: Record<string, string> = { ...req.headers, Authorization: "Bearer " + bearer };
    const init: RequestInit = {
      method: req.method ?? "GET",
      headers,
      credentials: "omit",
      cache: "no-store",
      signal: req.signal ?? null,
    };
    if (req.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(req.body);
    }
    try {
      return await fetch(this.server + path, init);
    } catch (cause) {
      if (req.signal?.aborted) throw cause;
      throw networkFailure(cause);
    }
  }

  async createSession(idempotencyKey: string, signal?: AbortSignal): Promise<string> {
    const res = await this.request("/v1/sessions", {
      method: "POST",
      body: {},
      headers: { "Idempotency-Key": idempotencyKey },
      signal,
    });
    return (await json<Session>(res)).id;
  }

  /** Starts a turn that answers a new text, or answers a message again. The same idempotency key never starts a second one. */
  startTurn(session: string, turn: { text: string } | { regenerate: string }, idempotencyKey: string, signal: AbortSignal): Promise<Response> {
    const ask = "text" in turn ? { messages: [{ role: "user", content: turn.text }] } : turn;
    return this.request("/v1/chat/completions", {
      method: "POST",
      body: { model: "default", session_id: session, stream: true, ...ask },
      headers: { Accept: "text/event-stream", "Clawless-Event-Ids": "1", "Idempotency-Key": idempotencyKey },
      signal,
    });
  }

  /** The events of a run after the one given; all of them after "". */
  resume(run: string, lastEventId: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (lastEventId) headers["Last-Event-ID"] = lastEventId;
    return this.request(`/v1/runs/${run}/stream`, { headers, signal });
  }

  async run(id: string): Promise<Run> {
    return json<Run>(await this.request("/v1/runs/" + id));
  }

  async cancel(run: string): Promise<void> {
    await this.request(`/v1/runs/${run}/cancel`, { method: "POST" });
  }

  /** Says whether a call that waits for it may be made. */
  async approve(run: string, approval_id: string, allow: boolean): Promise<void> {
    await this.request(`/v1/runs/${run}/approve`, { method: "POST", body: { approval_id, decision: allow ? "approve" : "deny" } });
  }

  /** All messages of a conversation, oldest first, at most 2,000. */
  async messages(session: string, signal?: AbortSignal): Promise<SessionMessage[]> {
    const all: SessionMessage[] = [];
    let cursor = "";
    for (let pages = 0; pages < 20; pages++) {
      const query = "?limit=100" + (cursor && "&cursor=" + encodeURIComponent(cursor));
      const path = `/v1/sessions/${session}/messages${query}`;
      const page = await json<Page<SessionMessage>>(await this.request(path, { signal }));
      all.push(...page.data);
      if (!page.has_more || !page.next_cursor) break;
      cursor = page.next_cursor;
    }
    return all;
  }
}

async function json<T>(res: Response): Promise<T> {
  try {
    return (await res.json()) as T;
  } catch (cause) {
    throw new Failure("bad_answer", res.status, String(cause));
  }
}

/** How long a token lives; where the two clocks do not agree, less than the server's 15 minutes. */
export function lifetimeMs(expiresAt: string, now = Date.now()): number {
  const left = Date.parse(expiresAt) - now;
  return left > 0 && left < 3_600_000 ? left : 600_000;
}
