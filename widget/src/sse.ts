// A response body of server-sent events as an async iterator.

import { type EventSourceMessage, createParser } from "eventsource-parser";

import { networkFailure } from "./failure.js";

/** A stream that sends nothing for so long, not even a heartbeat, is taken for dead. */
export const stallMs = 90_000;

/**
 * Yields each event as soon as its blank line has arrived, however the bytes were cut. The end
 * of the iteration is the end of the body; a lost connection throws a network Failure. Leaving
 * the iteration cancels the body.
 */
export async function* events(body: ReadableStream<Uint8Array>, stall = stallMs): AsyncGenerator<EventSourceMessage> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (e) => void ready.push(e) });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), stall);
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* ready.splice(0);
    }
  } catch (cause) {
    throw networkFailure(cause);
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the stream stalled")), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
