// What a conversation is made of, and what it needs of the page that shows it.

import type { Note, Pace } from "./answer.js";
import type { ToolEvent } from "./api.js";
import type { Failure } from "./failure.js";

export type State = "queued" | "sending" | "waiting" | "streaming" | "done" | "stopped" | "failed";

export interface Message {
  readonly role: "user" | "assistant";
  text: string;
  state: State;
  /** Of a question: its idempotency key. However often it is sent, it counts once. */
  key?: string;
  /** Of a question: it was sent before, and the outcome is not known. */
  sent?: boolean;
  /** Of a question: its id on the server, where that is known. */
  id?: string | undefined;
  /** Of a question: the run that failed to answer it. It is answered again, not asked again. */
  again?: string | undefined;
  /** Of an answer: the tools that were used for it. */
  tools?: ToolEvent[];
  /** Of an answer: what it answers. */
  question?: Message;
  /** Of an answer: the run that makes it. */
  run?: string;
  note?: Note | undefined;
  failure?: Failure | undefined;
}

/** A question that the server has not taken yet, as it outlives a reload. */
export type Queued = Pick<Message, "text" | "key" | "sent" | "again">;

export interface Sink {
  added(m: Message): void;
  removed(m: Message): void;
  text(m: Message, delta: string): void;
  /** State, note, tools, failure or the whole text of m changed. */
  changed(m: Message): void;
  /** A turn is running; while it is, the visitor can stop it. */
  busy(busy: boolean): void;
  /** The connection is lost in the middle of an answer, or found again. */
  lost(lost: boolean): void;
}

export interface Environment extends Pace {
  online(): boolean;
  newId(): string;
}
