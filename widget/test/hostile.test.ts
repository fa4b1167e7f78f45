import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { safeUrl } from "../src/markdown/url.js";
import { cut, random, streamed, whole } from "./dom.js";

const payloads = JSON.parse(readFileSync("testdata/payloads.json", "utf8")) as { family: string; text: string }[];

/** All that the painter may make: elements with the attributes each may have. */
const allowed: Record<string, string[]> = {
  P: ["class"], H3: ["class"], HR: [], BLOCKQUOTE: [], UL: [], OL: ["start"], LI: ["class"], BR: [], STRONG: [], EM: [], DEL: [], CODE: [],
  PRE: ["tabindex", "dir"], DIV: ["class", "tabindex", "role", "aria-label"], SPAN: ["class", "role", "aria-label"], BUTTON: ["type", "class"],
  TABLE: [], THEAD: [], TBODY: [], TR: [], TH: ["class", "scope"], TD: ["class"], A: ["href", "target", "rel", "title", "class"],
};

function check(root: Element, name: string): void {
  for (const e of root.querySelectorAll("*")) {
    const attributes = allowed[e.tagName];
    assert.ok(attributes, `${name}: made a <${e.tagName}>`);
    for (const { name: a } of [...e.attributes]) assert.ok(attributes.includes(a), `${name}: <${e.tagName}> has the attribute ${a}`);
    if (e.tagName !== "A") continue;
    const url = new URL(e.getAttribute("href")!);
    assert.match(url.protocol, /^(https?|mailto):$/, name);
    assert.equal(url.username + url.password, "", name);
    assert.equal(e.getAttribute("rel"), "noopener noreferrer nofollow", name);
    assert.equal(e.getAttribute("target"), "_blank", name);
  }
}

test("no payload becomes more than text, safe links and plain markup, however it is cut", () => {
  assert.ok(payloads.length >= 110);
  for (const { family, text } of payloads) {
    const name = `${family}: ${JSON.stringify(text)}`;
    const at = text.length >> 1;
    const forms = { whole: whole(text), characters: streamed([...text]), units: streamed(text.split("")), halves: streamed([text.slice(0, at), text.slice(at)]) };
    for (const [form, root] of Object.entries(forms)) {
      check(root, `${form}, ${name}`);
      assert.equal(root.innerHTML, forms.whole.innerHTML, `${form} differs, ${name}`);
    }
  }
});

test("payloads inside other markdown and glued together stay harmless", () => {
  const frames = ["> PAYLOAD", "- PAYLOAD", "1. PAYLOAD\n   PAYLOAD", "| PAYLOAD |\n|---|\n| PAYLOAD |", "**PAYLOAD**", "[PAYLOAD](https://e.test)", "![PAYLOAD](https://e.test)", "# PAYLOAD", "~~PAYLOAD~~", "`PAYLOAD", "<b>PAYLOAD</b>"];
  for (const { text } of payloads) for (const frame of frames) check(whole(frame.replaceAll("PAYLOAD", () => text)), JSON.stringify([frame, text]));
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const text = Array.from({ length: 6 }, () => payloads[Math.floor(next() * payloads.length)]!.text).join(next() < 0.5 ? "\n\n" : " ");
    const root = streamed(cut(text, next, 5));
    check(root, JSON.stringify(text));
    assert.equal(root.innerHTML, whole(text).innerHTML, JSON.stringify(text));
  }
});

test("raw HTML is shown as the text it is", () => {
  for (const { text } of payloads.filter((p) => p.family === "raw HTML" && !/[[\]&\u0000]/.test(p.text))) {
    assert.equal(whole(text).textContent!.trim(), text.trim());
  }
});

test("only http, https and mailto are links", () => {
  for (const good of ["https://a.test/b?c#d", "http://a.test", "mailto:a@b.test", "HTTPS://A.TEST"]) assert.ok(safeUrl(good), good);
  for (const bad of ["javascript:alert(1)", " \tjavascript:alert(1)", "data:text/html,x", "/a", "a.test", "//a.test", "", "https://", "https://u@a.test", "https://u:p@a.test", "ws://a.test", "about:blank"]) {
    assert.equal(safeUrl(bad), null, bad);
  }
});

test("the prototype of nothing changes", () => {
  for (const { text } of payloads) whole(text);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});
