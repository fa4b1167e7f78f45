import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { lifetimeMs } from "../src/client.js";
import type { TabState, Visitor } from "../src/storage.js";
import { Backend, Visit, frames, json, refuse, slot, stream } from "./server.js";

async function open(t: TestContext, backend = new Backend()): Promise<{ backend: Backend; visit: Visit; again: (firstId?: number) => Visit }> {
  const url = await backend.listen();
  const visitor = slot<Visitor>();
  const tab = slot<TabState>();
  const visits: Visit[] = [];
  const again = (firstId = 1000) => {
    const visit = new Visit(url, visitor, tab, firstId);
    visits.push(visit);
    return visit;
  };
  t.after(() => {
    for (const visit of visits) visit.conversation.destroy();
    backend.close();
  });
  return { backend, visit: again(0), again };
}

const chat = "POST /v1/chat/completions";
const whole = "Hello wörld 🎉";

test("a turn: session made on the first message, headers and body of the contract", async (t) => {
  const { backend, visit } = await open(t);
  await visit.conversation.start();
  assert.equal(backend.count("POST", "/v1/sessions"), 0);
  visit.conversation.send("hi");
  const answer = await visit.answered();
  assert.equal(answer.text, whole);
  assert.equal(visit.shown.get(answer), whole);
  const call = backend.calls.find((c) => c.path === "/v1/chat/completions")!;
  assert.deepEqual(call.body, { model: "default", session_id: "ses_1", stream: true, messages: [{ role: "user", content: "hi" }] });
  assert.equal(call.headers["clawless-event-ids"], "1");
  assert.equal(call.headers["idempotency-key"], "id1");
  assert.equal(call.headers.authorization, "Bearer token_1");
  assert.equal(call.headers.cookie, undefined);
  assert.equal(backend.calls[0]!.headers.authorization, "Bearer clw_pk_test");
  assert.deepEqual(visit.visitor.read(), { visitor_id: "vis_1", visitor_secret: "secret", session_id: "ses_1" });
});

test("a stream cut after any byte gives the same text, once", async (t) => {
  const { backend, visit } = await open(t);
  const bytes = Buffer.from(frames(backend.text).join(""));
  await visit.conversation.start();
  for (let cut = 0; cut <= bytes.length; cut++) {
    backend.calls = [];
    backend.routes[chat] = (call, res) => {
      backend.accept(call);
      stream(res, bytes.toString(), cut);
    };
    visit.conversation.send(`cut ${cut}`);
    const answer = await visit.answered();
    assert.equal(answer.text, whole, `cut after byte ${cut}`);
    assert.equal(visit.shown.get(answer), whole, `shown, cut after byte ${cut}`);
    assert.equal(backend.count("POST", "/v1/chat/completions"), 1);
  }
});

test("a stream cut again and again is read on from the last event", async (t) => {
  const { backend, visit } = await open(t);
  const asked: string[] = [];
  const part = (from: number) => stream_part(frames(backend.text), from);
  backend.routes[chat] = (call, res) => (backend.accept(call), stream(res, part(0).text, part(0).cut));
  backend.routes["GET /v1/runs/run_1/stream"] = (call, res) => {
    const last = String(call.headers["last-event-id"]);
    asked.push(last);
    const { text, cut } = part(Number(last));
    stream(res, text, Number(last) < 5 ? cut : -1);
  };
  await visit.conversation.start();
  visit.conversation.send("hi");
  assert.equal((await visit.answered()).text, whole);
  assert.deepEqual(asked, ["1", "2", "3", "4", "5"]);
  assert.ok(visit.log.includes("lost"));
});

/** One event and a half after the given one. */
function stream_part(all: string[], from: number): { text: string; cut: number } {
  const text = all.slice(from).join("");
  return { text, cut: Buffer.byteLength(all[from]!) + 9 };
}

test("events that come twice are taken once", async (t) => {
  const { backend, visit } = await open(t);
  backend.routes[chat] = (call, res) => (backend.accept(call), stream(res, frames(backend.text).join(""), 130));
  backend.routes["GET /v1/runs/run_1/stream"] = (_, res) => stream(res, frames(backend.text).join("")); // deaf to Last-Event-ID
  await visit.conversation.start();
  visit.conversation.send("hi");
  assert.equal((await visit.answered()).text, whole);
});

test("events that are no longer kept are read from the record", async (t) => {
  const { backend, visit } = await open(t);
  backend.routes[chat] = (call, res) => {
    backend.accept(call);
    backend.sessions.get("ses_1")!.push({ role: "assistant", content: whole, run_id: "run_1" });
    stream(res, frames(backend.text).join(""), 100);
  };
  backend.routes["GET /v1/runs/run_1/stream"] = (_, res) => refuse(res, 410, "run_expired");
  await visit.conversation.start();
  visit.conversation.send("hi");
  assert.equal((await visit.answered()).text, whole);
});

test("a connection that stays lost is an error that can be tried again without a second turn", async (t) => {
  const { backend, visit } = await open(t);
  backend.routes[chat] = (call, res) => (backend.accept(call), stream(res, frames(backend.text).join(""), 100));
  backend.routes["GET /v1/runs/run_1/stream"] = (_, res) => void res.destroy();
  await visit.conversation.start();
  visit.conversation.send("hi");
  const failed = await visit.answered("failed");
  assert.equal(failed.failure?.code, "network");
  delete backend.routes["GET /v1/runs/run_1/stream"];
  visit.conversation.retry(failed);
  assert.equal((await visit.answered()).text, whole);
  assert.equal(backend.count("POST", "/v1/chat/completions"), 1);
});

test("a request whose outcome is unknown is repeated with the same key", async (t) => {
  const { backend, visit } = await open(t);
  let attempts = 0;
  backend.routes[chat] = (call, res) => {
    if (++attempts < 3) return void res.destroy();
    if (attempts < 5) return refuse(res, 409, "idempotency_in_flight");
    backend.accept(call);
    stream(res, frames(backend.text).join(""));
  };
  await visit.conversation.start();
  visit.conversation.send("hi");
  const failed = await visit.answered("failed");
  assert.equal(attempts, 2);
  visit.conversation.retry(failed);
  assert.equal((await visit.answered()).text, whole);
  const keys = backend.calls.filter((c) => c.path === "/v1/chat/completions").map((c) => c.headers["idempotency-key"]);
  assert.deepEqual(new Set(keys).size, 1);
  assert.deepEqual(visit.transcript(), ["user: hi", `assistant: ${whole}`]);
});

test("what the server refused is asked with a new key", async (t) => {
  const { backend, visit } = await open(t);
  let refused = true;
  backend.routes[chat] = (call, res) => {
    if (refused) return refuse(res, 429, "rate_limit_exceeded", { "Retry-After": "7" });
    backend.accept(call);
    stream(res, frames(backend.text).join(""));
  };
  await visit.conversation.start();
  visit.conversation.send("hi");
  const failed = await visit.answered("failed");
  assert.equal(failed.failure?.retryAfter, 7000);
  assert.equal(failed.failure?.requestId, "req_1");
  assert.equal(backend.count("POST", "/v1/chat/completions"), 1);
  refused = false;
  visit.conversation.retry(failed);
  await visit.answered();
  const [first, second] = backend.calls.filter((c) => c.path === "/v1/chat/completions").map((c) => c.headers["idempotency-key"]);
  assert.notEqual(first, second);
});

test("an error frame ends the answer, keeps its text and is not read again", async (t) => {
  const { backend, visit } = await open(t);
  backend.routes[chat] = (call, res) => {
    backend.accept(call);
    stream(res, frames(["half"])[0]! + 'id: 2\ndata: {"error":{"message":"x","type":"t","param":null,"code":"provider_error","request_id":"req_9"}}\n\n');
  };
  await visit.conversation.start();
  visit.conversation.send("hi");
  const failed = await visit.answered("failed");
  assert.deepEqual([failed.text, failed.failure?.code, failed.failure?.requestId], ["half", "provider_error", "req_9"]);
  assert.equal(backend.count("GET", "/v1/runs/run_1/stream"), 0);
  assert.equal(visit.tab.read().run, undefined);
});

test("a visitor token is renewed once on 401, by one request for all who wait", async (t) => {
  const { backend, visit } = await open(t);
  await visit.conversation.start();
  const valid = (call: { headers: Record<string, unknown> }) => call.headers["authorization"] !== "Bearer token_1";
  backend.routes["GET /v1/runs/run_1"] = (call, res) => (valid(call as never) ? json(res, 200, { id: "run_1", status: "completed" }) : refuse(res, 401, "expired_api_key"));
  await Promise.all([visit.client.run("run_1"), visit.client.run("run_1"), visit.client.run("run_1")]);
  assert.equal(backend.count("POST", "/v1/widget/session"), 2);
  backend.routes["GET /v1/runs/run_1"] = (_, res) => refuse(res, 401, "invalid_api_key");
  await assert.rejects(visit.client.run("run_1"), /no/);
  assert.equal(backend.count("POST", "/v1/widget/session"), 3);
});

test("a visitor whom the server forgot becomes a new one with no history", async (t) => {
  const { backend, visit } = await open(t);
  visit.visitor.update({ visitor_id: "vis_old", visitor_secret: "old", session_id: "ses_9" });
  backend.routes["POST /v1/widget/session"] = (call, res) =>
    call.body.visitor_id ? refuse(res, 401, "invalid_api_key") : json(res, 200, { token: "t", expires_at: "", visitor_id: "vis_2", visitor_secret: "new", session_id: null });
  await visit.conversation.start();
  assert.deepEqual([visit.visitor.read().visitor_id, visit.visitor.read().visitor_secret], ["vis_2", "new"]);
  assert.equal(backend.count("GET", "/v1/sessions/ses_9/messages"), 0);
});

test("a conversation that is gone is continued in a new one", async (t) => {
  const { backend, visit } = await open(t);
  await visit.conversation.start();
  visit.conversation.send("one");
  await visit.answered();
  backend.routes[chat] = (call, res) => {
    if (call.body.session_id === "ses_1") return refuse(res, 404, "not_found");
    backend.accept(call);
    stream(res, frames(backend.text).join(""));
  };
  visit.conversation.send("two");
  assert.equal((await visit.answered()).text, whole);
  assert.equal(visit.visitor.read().session_id, "ses_2");
});

test("stop cancels the run on the server and keeps the text", async (t) => {
  const { backend, visit } = await open(t);
  let end = (): void => undefined;
  backend.routes[chat] = (call, res) => {
    backend.accept(call);
    res.writeHead(200, { "Content-Type": "text/event-stream", "Clawless-Run-Id": "run_1" });
    res.write(frames(["first"])[0]);
    end = () => res.end('id: 2\ndata: {"error":{"message":"x","type":"t","param":null,"code":"run_cancelled"}}\n\n');
  };
  backend.routes["POST /v1/runs/run_1/cancel"] = (_, res) => {
    end();
    json(res, 200, {});
  };
  await visit.conversation.start();
  visit.conversation.send("hi");
  await visit.until(() => visit.last?.text === "first");
  visit.conversation.stop();
  visit.conversation.stop();
  const stopped = await visit.answered("stopped");
  assert.equal(stopped.text, "first");
  assert.equal(backend.count("POST", "/v1/runs/run_1/cancel"), 1);
});

test("messages written offline are sent once and in order, after a reload too", async (t) => {
  const { backend, visit, again } = await open(t);
  await visit.conversation.start();
  visit.online = false;
  visit.conversation.send("one");
  visit.conversation.send("two");
  assert.equal(backend.count("POST", "/v1/chat/completions"), 0);
  visit.conversation.destroy();
  const later = again();
  await later.conversation.start();
  await later.until(() => later.conversation.messages.length === 4 && later.last?.state === "done");
  assert.deepEqual(later.transcript(), ["user: one", `assistant: ${whole}`, "user: two", `assistant: ${whole}`]);
  assert.deepEqual(backend.calls.filter((c) => c.path === "/v1/chat/completions").map((c) => c.headers["idempotency-key"]), ["id1", "id2"]);
  assert.deepEqual(later.tab.read().queue, []);
});

test("a message in flight when the page is left is asked for again under its key, with one bubble", async (t) => {
  const { backend, visit, again } = await open(t);
  await visit.conversation.start();
  let release = (): void => undefined;
  const arrived = new Promise<void>((done) => {
    backend.routes[chat] = (call) => {
      backend.accept(call); // taken, but no answer ever comes
      done();
    };
  });
  visit.conversation.send("hi");
  await arrived;
  visit.conversation.destroy();
  backend.routes[chat] = (_, res) => stream(res, frames(backend.text).join(""));
  const later = again();
  await later.conversation.start();
  assert.equal((await later.answered()).text, whole);
  assert.deepEqual(later.transcript(), ["user: hi", `assistant: ${whole}`]);
  assert.deepEqual(backend.calls.filter((c) => c.path === "/v1/chat/completions").map((c) => c.headers["idempotency-key"]), ["id1", "id1"]);
  release();
});

test("a running answer goes on after a reload, a broken one can be tried again", async (t) => {
  const { backend, visit, again } = await open(t);
  await visit.conversation.start();
  const live = new Promise<void>((done) => {
    backend.routes[chat] = (call, res) => {
      backend.accept(call);
      res.writeHead(200, { "Content-Type": "text/event-stream", "Clawless-Run-Id": "run_1" });
      res.write(frames(backend.text)[0]);
      done();
    };
  });
  visit.conversation.send("hi");
  await live;
  await visit.until(() => visit.last?.text === "Hel");
  visit.conversation.destroy();
  backend.routes["GET /v1/runs/run_1"] = (_, res) => json(res, 200, { id: "run_1", status: "running" });
  const second = again();
  await second.conversation.start();
  assert.equal((await second.answered()).text, whole);

  second.tab.update({ run: { id: "run_1", session: "ses_1" } });
  backend.routes["GET /v1/runs/run_1"] = (_, res) => json(res, 200, { id: "run_1", status: "interrupted" });
  const third = again(2000);
  await third.conversation.start();
  assert.equal(third.last?.state, "failed");
  assert.equal(third.last?.failure?.code, "run_interrupted");
  delete backend.routes[chat];
  third.conversation.retry(third.last!);
  assert.equal((await third.answered()).text, whole);
});

test("a new conversation forgets the old one here, and stops what runs", async (t) => {
  const { backend, visit, again } = await open(t);
  await visit.conversation.start();
  visit.conversation.send("one");
  await visit.answered();
  visit.conversation.reset();
  assert.deepEqual(visit.transcript(), []);
  assert.equal(visit.shown.size, 0);
  visit.conversation.send("two");
  await visit.answered();
  assert.equal(backend.sessions.size, 2);
  visit.conversation.reset();
  const later = again();
  await later.conversation.start();
  assert.deepEqual(later.transcript(), []);
});

test("the first visit on a device takes the conversation the server names", async (t) => {
  const { backend, visit } = await open(t);
  backend.sessions.set("ses_1", [{ role: "user", content: "before" }, { role: "assistant", content: "yes" }, { role: "tool", content: "hidden" }]);
  backend.routes["POST /v1/widget/session"] = (_, res) => json(res, 200, { token: "t", expires_at: "", visitor_id: "v", visitor_secret: "s", session_id: "ses_1" });
  await visit.conversation.start();
  assert.deepEqual(visit.transcript(), ["user: before", "assistant: yes"]);
});

test("a failed start can be repeated, and what was written meanwhile is sent", async (t) => {
  const { backend, visit } = await open(t);
  backend.routes["POST /v1/widget/session"] = (_, res) => refuse(res, 503, "store_unavailable");
  visit.conversation.send("early");
  await assert.rejects(visit.conversation.start(), { code: "store_unavailable" });
  delete backend.routes["POST /v1/widget/session"];
  await visit.conversation.start();
  await visit.answered();
  assert.deepEqual(visit.transcript(), ["user: early", `assistant: ${whole}`]);
});

test("a token lives until expires_at, unless the two clocks cannot agree", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(lifetimeMs("2026-01-01T00:15:00Z", now), 900_000);
  for (const odd of ["2026-01-02T00:15:00Z", "2025-12-31T00:00:00Z", "", "soon"]) assert.equal(lifetimeMs(odd, now), 600_000);
});
