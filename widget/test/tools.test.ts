import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import type { ToolEvent } from "../src/api.js";
import { en } from "../src/locale/en.js";
import type { Message } from "../src/message.js";
import type { TabState, Visitor } from "../src/storage.js";
import { showTools } from "../src/view/tools.js";
import { doc, dom } from "./dom.js";
import { Backend, Visit, frames, json, refuse, slot, stream, toolFrame } from "./server.js";

async function open(t: TestContext): Promise<{ backend: Backend; visit: Visit; again: () => Visit }> {
  const backend = new Backend();
  const url = await backend.listen();
  const [visitor, tab] = [slot<Visitor>(), slot<TabState>()];
  const visits = [new Visit(url, visitor, tab)];
  const again = () => visits[visits.push(new Visit(url, visitor, tab, 1000)) - 1]!;
  t.after(() => {
    visits.forEach((v) => v.conversation.destroy());
    backend.close();
  });
  await visits[0]!.conversation.start();
  return { backend, visit: visits[0]!, again };
}

const chat = "POST /v1/chat/completions";
const whole = "Hello wörld 🎉";
const failed = 'id: 2\ndata: {"error":{"message":"x","type":"t","param":null,"code":"provider_error"}}\n\n';
const asks = (backend: Backend) => backend.calls.filter((c) => c.path === "/v1/chat/completions").map((c) => ({ ...c.body, model: undefined, stream: undefined, session_id: undefined }));

test("trying again after a failed run answers the same message, under a new key", async (t) => {
  const { backend, visit } = await open(t);
  backend.routes[chat] = (call, res) => (backend.accept(call), stream(res, frames(["half"])[0]! + failed));
  visit.conversation.send("hi");
  const first = await visit.answered("failed");
  visit.conversation.retry(first);
  await visit.until(() => !visit.conversation.messages.includes(first));
  const second = await visit.answered("failed"); // fails again: it is still the same message
  delete backend.routes[chat];
  visit.conversation.retry(second);
  await visit.answered();
  assert.deepEqual(visit.transcript(), ["user: hi", `assistant: ${whole}`]);
  assert.deepEqual(asks(backend).map((a) => a.regenerate ?? a.messages[0].content), ["hi", "msg_1", "msg_1"]);
  assert.ok(asks(backend).slice(1).every((a) => !("messages" in a)));
  const keys = backend.calls.filter((c) => c.path === "/v1/chat/completions").map((c) => c.headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 3);
  assert.equal(backend.sessions.get("ses_1")!.filter((m) => m.role === "user").length, 1);
});

test("so does trying again after a reload, and one that waits for the network over a reload", async (t) => {
  const { backend, visit, again } = await open(t);
  backend.routes[chat] = (call, res) => (backend.accept(call), stream(res, frames(["half"])[0]! + failed));
  visit.conversation.send("hi");
  const first = await visit.answered("failed");
  visit.online = false;
  visit.conversation.retry(first);
  visit.conversation.destroy();
  delete backend.routes[chat];
  const later = again();
  await later.conversation.start();
  await later.answered();
  assert.deepEqual(later.transcript(), ["user: hi", `assistant: ${whole}`]);
  assert.equal(asks(backend).at(-1).regenerate, "msg_1");

  later.tab.update({ run: { id: "run_1", session: "ses_1" } });
  backend.routes["GET /v1/runs/run_1"] = (_, res) => json(res, 200, { id: "run_1", status: "interrupted" });
  const third = again();
  await third.conversation.start();
  third.conversation.retry(third.last!);
  await third.answered();
  assert.equal(asks(backend).at(-1).regenerate, "msg_1");
});

test("a message that the server never took is asked, not answered again", async (t) => {
  const { backend, visit } = await open(t);
  backend.routes[chat] = (_, res) => refuse(res, 429, "rate_limit_exceeded");
  visit.conversation.send("hi");
  const first = await visit.answered("failed");
  delete backend.routes[chat];
  visit.conversation.retry(first);
  await visit.answered();
  assert.equal(asks(backend).at(-1).messages[0].content, "hi");
});

test("tools are told of in place, heartbeats of nothing, and text after them stands apart", async (t) => {
  const { backend, visit } = await open(t);
  const beat = (id: number) => `id: ${id}\ndata: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: null }] })}\n\n`;
  const [one, , end, done] = frames(["Let me look.", "x"]);
  const rest = frames(["Found."])[0]!.replace("id: 1", "id: 7");
  backend.routes[chat] = (call, res) => {
    backend.accept(call);
    stream(res, one! + beat(2) + toolFrame(3, { id: "a", name: "search", status: "running" }) + beat(4) + toolFrame(5, { id: "b", name: "fetch", status: "running" }) +
      toolFrame(6, { id: "a", name: "search", status: "done", ms: 12 }) + rest + end!.replace("id: 3", "id: 8") + done!.replace("id: 4", "id: 9"));
  };
  visit.conversation.send("hi");
  const answer = await visit.answered();
  assert.equal(answer.text, "Let me look.\n\nFound.");
  assert.deepEqual(answer.tools!.map((x) => [x.id, x.status]), [["a", "done"], ["b", "running"]]);
});

test("a decision goes to the run with its approval", async (t) => {
  const { backend, visit } = await open(t);
  const waiting = { id: "a", name: "file_write", status: "waiting", approval_id: "apr_1" };
  backend.routes[chat] = (call, res) => {
    backend.accept(call);
    res.writeHead(200, { "Content-Type": "text/event-stream", "Clawless-Run-Id": "run_1" });
    res.write(toolFrame(1, waiting));
    backend.routes["POST /v1/runs/run_1/approve"] = (_, ok) => {
      json(ok, 200, {});
      res.end(toolFrame(2, { ...waiting, status: "denied", why: "a person said no" }) + frames(["No."]).join("").replaceAll(/id: (\d)/g, (_, n) => `id: ${Number(n) + 2}`));
    };
  };
  visit.conversation.send("hi");
  await visit.until(() => visit.last?.tools?.[0]?.status === "waiting");
  await visit.conversation.approve(visit.last!, visit.last!.tools![0]!, false);
  const answer = await visit.answered();
  assert.deepEqual([answer.text, answer.tools![0]!.why], ["No.", "a person said no"]);
  assert.deepEqual(backend.calls.find((c) => c.path.endsWith("/approve"))!.body, { approval_id: "apr_1", decision: "deny" });
});

test("a history of several messages of one run is one answer", async (t) => {
  const { backend, again } = await open(t);
  backend.sessions.set("ses_1", [{ role: "user", content: "q", run_id: "run_1" }, { role: "assistant", content: "Let me look.", run_id: "run_1" }, { role: "tool", content: "x", run_id: "run_1" },
    { role: "assistant", content: "Found.", run_id: "run_1" }, { role: "assistant", content: "Another.", run_id: "run_2" }]);
  backend.routes["POST /v1/widget/session"] = (_, res) => json(res, 200, { token: "t", expires_at: "", visitor_id: "v", visitor_secret: "s", session_id: "ses_1" });
  const visit = again();
  visit.visitor.update({ session_id: undefined });
  await visit.conversation.start();
  assert.deepEqual(visit.transcript(), ["user: q", "assistant: Let me look.\n\nFound.", "assistant: Another."]);
});

const evil = `<img src=x onerror=alert(1)>`;

test("lines and prompts are text, are told once, and are answered by their buttons", async () => {
  Object.assign(globalThis, { document: doc });
  Object.defineProperty(dom.window.HTMLElement.prototype, "innerText", { get(this: HTMLElement) { return this.textContent; }, configurable: true });
  const into = doc.body.appendChild(doc.createElement("div"));
  const said: string[] = [];
  const decided: boolean[] = [];
  let refused = true;
  const events = {
    asked: (text: string, prompt?: HTMLElement) => (said.push(text), prompt?.focus()),
    approve: async (_: Message, _t: ToolEvent, allow: boolean) => {
      decided.push(allow);
      if (refused) throw Object.assign(new Error(), { code: "network", status: 0 });
    },
  };
  const waiting: ToolEvent = { id: "b", name: evil, status: "waiting", approval_id: "apr_1", arguments: { path: evil }, taint: [{ kind: "web", source: `https://a.test/${evil}` }] };
  const m: Message = { role: "assistant", text: "", state: "waiting", tools: [{ id: "a", name: evil, status: "failed", ms: 1500, why: evil }, waiting] };
  showTools(en, into, m, events);
  showTools(en, into, m, events);
  assert.equal(into.querySelector("img"), null);
  assert.equal(into.firstElementChild!.textContent, `${evil} failed · 1.5 s: ${evil}`);
  const ask = into.querySelector<HTMLElement>(".ask")!;
  assert.equal(ask.getAttribute("role"), "group");
  assert.equal(ask.getAttribute("aria-label"), `May the assistant use ${evil}?`);
  assert.match(ask.textContent!, /It asks after reading: https:\/\/a\.test\//);
  assert.equal(doc.activeElement, ask);
  assert.equal(said.length, 1);
  const [allow, deny] = ask.querySelectorAll("button");
  allow!.click();
  assert.ok(allow!.disabled && deny!.disabled);
  await new Promise((next) => setImmediate(next));
  assert.match(ask.textContent!, /cannot be reached/);
  assert.ok(!allow!.disabled && !deny!.disabled);
  refused = false;
  deny!.click();
  assert.deepEqual(decided, [true, false]);
  m.tools = [m.tools![0]!, { ...waiting, status: "denied", why: "a person said no" }];
  showTools(en, into, m, events);
  assert.equal(into.lastElementChild!.textContent, `${evil} was not used: a person said no`);
  assert.equal(said.at(-1), ""); // the focus goes back to the field

  // What an answer that ended left open is over.
  m.tools = [waiting];
  m.state = "stopped";
  showTools(en, into, m, events);
  assert.equal(into.querySelector("button"), null);
});
