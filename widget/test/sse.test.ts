import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure } from "../src/failure.js";
import { events } from "../src/sse.js";
import { random } from "./dom.js";

/** A body that gives the chunks one by one, then ends, fails or stays silent. */
function body(chunks: Uint8Array[], end: "end" | "fail" | "silent" = "end"): ReadableStream<Uint8Array> {
  let i = 0;
  return new ReadableStream({
    pull(controller) {
      if (i < chunks.length) controller.enqueue(chunks[i++]!);
      else if (end === "end") controller.close();
      else if (end === "fail") controller.error(new Error("connection reset"));
      else return new Promise(() => undefined);
      return undefined;
    },
  });
}

async function read(chunks: Uint8Array[]): Promise<string[]> {
  const all: string[] = [];
  for await (const e of events(body(chunks))) all.push(`${e.id ?? ""}=${e.data}`);
  return all;
}

const stream = new TextEncoder().encode(
  'retry: 1000\n\n: a comment\n\nid: 1\ndata: {"a":"Grüße 日本 🎉"}\n\nid: 2\r\ndata:no space\r\n\r\nid: 3\rdata: cr only\r\rdata: two\ndata: lines\n\nid: 4\ndata: [DONE]\n\n',
);
const expected = ['1={"a":"Grüße 日本 🎉"}', "2=no space", "3=cr only", "=two\nlines", "4=[DONE]"];

test("events are the same wherever the bytes are cut in two", async () => {
  for (let at = 0; at <= stream.length; at++) {
    assert.deepEqual(await read([stream.slice(0, at), stream.slice(at)]), expected, `cut at byte ${at}`);
  }
});

test("events are the same byte by byte and in random pieces", async () => {
  assert.deepEqual(await read([...stream].map((b) => Uint8Array.of(b))), expected);
  for (let seed = 1; seed <= 50; seed++) {
    const next = random(seed);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const size = Math.floor(next() * 12);
      chunks.push(stream.slice(at, at + size));
      at += size;
    }
    assert.deepEqual(await read(chunks), expected, `seed ${seed}`);
  }
});

test("a line of a megabyte passes", async () => {
  const text = "x".repeat(1_000_000);
  const bytes = new TextEncoder().encode(`data: ${text}\n\n`);
  const chunks = Array.from({ length: Math.ceil(bytes.length / 1000) }, (_, i) => bytes.slice(i * 1000, i * 1000 + 1000));
  assert.deepEqual(await read(chunks), ["=" + text]);
});

test("half an event at the end is no event", async () => {
  assert.deepEqual(await read([stream.slice(0, stream.length - 1)]), expected.slice(0, -1));
});

test("a lost connection is a network failure, after the events that arrived", async () => {
  const got: string[] = [];
  await assert.rejects(
    async () => {
      for await (const e of events(body([stream], "fail"))) got.push(e.data);
    },
    (f) => f instanceof Failure && f.isNetwork,
  );
  assert.equal(got.length, expected.length);
});

test("a silent connection is given up", async () => {
  await assert.rejects(
    async () => {
      for await (const _ of events(body([stream], "silent"), 30)) void _;
    },
    (f) => f instanceof Failure && f.isNetwork,
  );
});

test("leaving the iteration cancels the body", async () => {
  let cancelled = false;
  const source = new ReadableStream<Uint8Array>({
    pull: (c) => c.enqueue(stream),
    cancel: () => void (cancelled = true),
  });
  for await (const _ of events(source)) break;
  assert.ok(cancelled);
});
