// Why a call failed, in one shape, and which text of the locale tells a visitor.

import type { ErrorBody } from "./api.js";
import type { Strings } from "./locale/index.js";

/** A call that failed. */
export class Failure extends Error {
  code: string;
  /** HTTP status; 0: no answer came at all. */
  status: number;
  /** Milliseconds the server asked to wait, or 0. */
  retryAfter = 0;
  requestId = "";

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }

  /** The connection failed, as opposed to an answer that says no. */
  get isNetwork(): boolean {
    return !this.status;
  }

  /** Another turn or the first copy of this request is still running: waiting helps. */
  get isBusy(): boolean {
    return this.code === "session_busy" || this.code === "idempotency_in_flight";
  }

  /** The same request may succeed later without a change. */
  get isTransient(): boolean {
    return this.isNetwork || this.status === 429 || this.status >= 500 || this.isBusy;
  }
}

/** Seconds or an HTTP date, as milliseconds from now, at most an hour; 0 when absent or not readable. */
export function retryAfterMs(value: string | null, now = Date.now()): number {
  const ms = /^\d+$/.test(value ?? "") ? Number(value) * 1000 : Date.parse(value ?? "") - now;
  return Math.min(Math.max(ms || 0, 0), 3_600_000);
}

export function networkFailure(cause: unknown): Failure {
  return new Failure("network", 0, String(cause));
}

/** The failure that an answer with a bad status says; a proxy's HTML page is read as its status. */
export async function responseFailure(res: Response): Promise<Failure> {
  let error: Partial<ErrorBody> = {};
  try {
    error = ((await res.json()) as { error: ErrorBody }).error ?? error;
  } catch {
    // Not ours: the status alone has to do.
  }
  const f = new Failure(error.code || "http_" + res.status, res.status, error.message ?? "");
  f.retryAfter = retryAfterMs(res.headers.get("retry-after"));
  f.requestId = error.request_id ?? res.headers.get("x-request-id") ?? "";
  return f;
}

/** What the status alone does not say. */
const texts: [RegExp, keyof Strings][] = [
  [/^network/, "errorNetwork"],
  [/^quota/, "errorQuota"],
  [/^(session_busy|idempotency_in)/, "errorBusy"],
  [/^origin/, "errorOrigin"],
  [/^(context|body_too)/, "errorTooLong"],
  [/^content/, "errorRefused"],
  [/^(run_|stream_)/, "errorInterrupted"],
  [/^(provider|shutting|tenant)/, "errorProvider"],
];

/** The name of the text that says the cause to a visitor. */
export function causeOf({ code, status }: Failure): keyof Strings {
  const known = texts.find(([start]) => start.test(code));
  if (known) return known[1];
  if (status === 429) return "errorRate";
  if (status === 413) return "errorTooLong";
  if (status === 401 || status === 403) return "errorKey";
  return status > 501 && status < 505 ? "errorProvider" : "errorServer";
}
