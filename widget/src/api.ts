// The part of the HTTP API that a visitor's browser may call, as openapi/openapi.yaml says.
// Types generated from that file take this file's place as api.gen.ts under the same names.

import type { Strings } from "./locale/index.js";

/** Settings of a widget as its tenant made them; the page's data-* attributes come first. */
export interface WidgetConfig {
  title?: string | null;
  greeting?: string | null;
  placeholder?: string | null;
  color?: string | null;
  position?: string | null;
  theme?: string | null;
  strings?: Partial<Strings> | null;
}

/** Answer of POST /v1/widget/session. */
export interface WidgetSession {
  token: string;
  expires_at: string;
  visitor_id: string;
  /** Only for a new visitor. */
  visitor_secret?: string | null;
  /** The visitor's newest conversation. */
  session_id: string | null;
  config?: WidgetConfig | null;
}

export interface Session {
  id: string;
}

export type Content = string | { type: string; text?: string }[] | null;

export interface SessionMessage {
  id: string;
  sequence: number;
  role: "system" | "developer" | "user" | "assistant" | "tool";
  content: Content;
  run_id?: string | null;
  created_at: string;
}

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

export interface Run {
  id: string;
  session_id: string;
  status: "running" | "completed" | "failed" | "cancelled" | "interrupted";
  error?: ErrorBody | null;
}

/** The `error` of every failed answer and of a stream that failed in its middle. */
export interface ErrorBody {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
  details?: { field: string; message: string }[];
  request_id?: string;
}

/** What a tool of the server does in a turn; of the same call, a later one takes the place of an earlier one. */
export interface ToolEvent {
  id: string;
  name: string;
  status: "running" | "waiting" | "done" | "failed" | "denied";
  ms?: number;
  /** Why it failed or was denied. */
  why?: string;
  /** While it waits: what to approve, and what led to it. */
  approval_id?: string;
  arguments?: unknown;
  taint?: { kind: string; source: string }[];
}

/** One `data:` frame of a streamed answer. */
export interface ChatChunk {
  clawless?: { tool?: ToolEvent };
  choices?: {
    index: number;
    delta: { role?: string; content?: string | null };
    finish_reason: string | null;
  }[];
  error?: ErrorBody;
}

/** The text of a message, whatever shape its content has. */
export function textOf(content: Content): string {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => (part.type === "text" ? (part.text ?? "") : "")).join("");
}
