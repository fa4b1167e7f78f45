// Follows one answer to its end: reads the stream, and when the connection is lost in its
// middle, reads on from the last event seen, so that the text is what the server sent, once.

import { type ChatChunk, type ToolEvent, textOf } from "./api.js";
import type { Client } from "./client.js";
import { Failure, networkFailure } from "./failure.js";
import { events } from "./sse.js";

export type Note = "length" | "filter";

export interface Listener {
  delta(text: string): void;
  tool(event: ToolEvent): void;
  /** The text so far does not hold: this is the whole of it. */
  replace(text: string): void;
  /** The connection is lost (true) or found again (false). */
  lost(lost: boolean): void;
}

export interface Pace {
  /** Resolves after so many milliseconds, or rejects when aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Resolves as soon as the device is online, or rejects when aborted. */
  whenOnline(signal: AbortSignal): Promise<void>;
}

const delaysMs = [0, 400, 1000, 2000, 4000, 8000, 8000, 8000];

/** The reader of one run's events. */
export class Answer {
  #lastEvent = "";
  #note: Note | undefined;
  #attempts = 0;

  readonly #client: Client;
  readonly #listener: Listener;
  readonly #pace: Pace;
  readonly #signal: AbortSignal;

  constructor(client: Client, listener: Listener, pace: Pace, signal: AbortSignal) {
    this.#client = client;
    this.#listener = listener;
    this.#pace = pace;
    this.#signal = signal;
  }

  /** Reads the first response, or the run from its start if there is none, until [DONE]. */
  async follow(run: string, session: string, first?: Response): Promise<Note | undefined> {
    let res = first;
    for (;;) {
      try {
        res ??= await this.#client.resume(run, this.#lastEvent, this.#signal);
        if (await this.#read(res)) return this.#note;
        throw networkFailure(null);
      } catch (cause) {
        this.#signal.throwIfAborted();
        if (!(cause instanceof Failure)) throw cause;
        if (cause.status === 404 || cause.status === 410) return await this.#settle(run, session);
        if (!cause.isTransient || !run || cause instanceof AnswerFailure) throw cause;
        res = undefined;
        await this.#backOff(cause);
      }
    }
  }

  /** True when the answer ended, false when only the connection did. */
  async #read(res: Response): Promise<boolean> {
    if (!res.body) return false;
    this.#listener.lost(false);
    for await (const event of events(res.body)) {
      if (event.id) {
        if (Number(event.id) <= Number(this.#lastEvent || -1)) continue;
        this.#lastEvent = event.id;
      }
      this.#attempts = 0;
      if (event.data === "[DONE]") return true;
      this.#take(event.data);
    }
    return false;
  }

  #take(data: string): void {
    let chunk: ChatChunk;
    try {
      chunk = JSON.parse(data) as ChatChunk;
    } catch {
      return; // One frame that is not JSON does not spoil the others.
    }
    if (chunk.error) throw new AnswerFailure(chunk.error.code, chunk.error.message, chunk.error.request_id);
    const choice = chunk.choices?.[0];
    if (chunk.clawless?.tool) this.#listener.tool(chunk.clawless.tool);
    if (choice?.delta?.content) this.#listener.delta(choice.delta.content);
    if (choice?.finish_reason === "length") this.#note = "length";
    if (choice?.finish_reason === "content_filter") this.#note = "filter";
  }

  async #backOff(cause: Failure): Promise<void> {
    const delay = delaysMs[this.#attempts++];
    if (delay === undefined) throw cause;
    this.#listener.lost(true);
    await this.#pace.wait(Math.max(cause.retryAfter, delay * (1 + Math.random() * 0.3)), this.#signal);
    await this.#pace.whenOnline(this.#signal);
  }

  /** The events are no longer kept: the conversation's record has the answer, if there was one. */
  async #settle(run: string, session: string): Promise<Note | undefined> {
    const messages = await this.#client.messages(session, this.#signal);
    const texts = messages.filter((m) => m.run_id === run && m.role === "assistant").map((m) => textOf(m.content));
    const text = texts.filter(Boolean).join("\n\n");
    if (!text) throw new AnswerFailure("stream_broken", "the run has no answer");
    this.#listener.lost(false);
    this.#listener.replace(text);
    return this.#note;
  }
}

/** The answer itself failed on the server, so reading it again does not help. */
export class AnswerFailure extends Failure {
  constructor(code: string | null, message: string, requestId = "") {
    super(code || "internal_error", 500, message);
    this.requestId = requestId;
  }
}
