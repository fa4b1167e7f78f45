import assert from "node:assert/strict";
import { test } from "node:test";

import { type Rgb, contrast, css, parse, textOn } from "../src/color.js";
import { configure } from "../src/config.js";
import { causeOf, Failure, retryAfterMs } from "../src/failure.js";
import { fill, strings } from "../src/locale/index.js";
import { palette, themeSheet } from "../src/theme.js";
import { random } from "./dom.js";

function rgb(text: string): Rgb {
  return parse(text) ?? (text.match(/\d+/g)!.map(Number) as unknown as Rgb);
}

test("every pair of text and ground has a contrast of 4.5, whatever the brand colour", () => {
  const next = random(11);
  const named = ["#000", "#fff", "#ffff00", "#ff0000", "#00ff00", "#0000ff", "#767676", "#777", "#4338ca", "#ffd23f"].map((c) => parse(c)!);
  const any = Array.from({ length: 2000 }, () => [0, 0, 0].map(() => Math.floor(next() * 256)) as unknown as Rgb);
  for (const brand of [...named, ...any]) {
    for (const look of ["light", "dark"] as const) {
      const p = Object.fromEntries(Object.entries(palette(brand, look)).map(([name, text]) => [name, rgb(text)])) as Record<string, Rgb>;
      for (const pair of [
        "fg bg", "fg soft", "fg code", "dim bg", "dim soft", "dim code", "link bg", "link code", "link soft", "on brand", "error alarm", "error bg",
      ]) {
        const [text, ground] = pair.split(" ").map((name) => p[name]!) as [Rgb, Rgb];
        const ratio = contrast(text, ground);
        assert.ok(ratio >= 4.5, `brand ${css(brand)}, ${look}: ${pair} is ${ratio.toFixed(2)}`);
      }
    }
  }
});

test("colours are read from #rgb and #rrggbb alone", () => {
  assert.deepEqual(parse("#fa0"), [255, 170, 0]);
  assert.deepEqual(parse("#12aBff"), [18, 171, 255]);
  for (const bad of ["", "red", "#12", "#12345", "#1234567", "rgb(1,2,3)", "#ggg", "#fff;}*{display:none", undefined, null]) assert.equal(parse(bad), null);
  assert.deepEqual(textOn([255, 255, 255]), [0, 0, 0]);
  assert.deepEqual(textOn([0, 0, 0]), [255, 255, 255]);
});

test("the theme follows the system unless told otherwise", () => {
  const brand = parse("#4338ca")!;
  assert.match(themeSheet(brand, "auto"), /color-scheme:light.*prefers-color-scheme:dark.*color-scheme:dark/);
  assert.doesNotMatch(themeSheet(brand, "light"), /dark|@media/);
  assert.doesNotMatch(themeSheet(brand, "dark"), /light/);
});

test("the page's attributes stand above the tenant's settings, and those above the defaults", () => {
  const c = configure({ title: "Page", theme: "dark", strings: '{"send":"Go"}' }, { title: "Tenant", greeting: "Hi", color: "#123456", position: "bottom-left" });
  assert.equal(c.strings.title, "Page");
  assert.equal(c.strings.greeting, "Hi");
  assert.equal(c.strings.send, "Go");
  assert.equal(c.strings.placeholder, "Write a message…");
  assert.deepEqual([c.scheme, c.side, css(c.brand)], ["dark", "start", "rgb(18,52,86)"]);
  const hostile = JSON.parse('{"__proto__":{"polluted":1},"title":{"toString":1},"theme":"url(x)","color":"red;}"}');
  const d = configure({ strings: "not json", theme: "x" }, hostile);
  assert.equal(d.strings.title, "Chat");
  assert.equal(d.scheme, "auto");
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("texts are filled without reading patterns in the value", () => {
  assert.equal(fill("Reference: {id}", "$&"), "Reference: $&");
  assert.equal(strings({ send: "" }, null, undefined, 5, { send: 7 }).send, "Send");
});

test("Retry-After is seconds or a date, and never more than an hour", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(retryAfterMs("3", now), 3000);
  assert.equal(retryAfterMs("Thu, 01 Jan 2026 00:00:05 GMT", now), 5000);
  assert.equal(retryAfterMs("Thu, 01 Jan 2020 00:00:05 GMT", now), 0);
  for (const nothing of [null, "", "soon", "-5"]) assert.equal(retryAfterMs(nothing, now), 0);
  assert.equal(retryAfterMs("999999", now), 3_600_000);
});

test("every failure has a cause that a visitor can read", () => {
  const cause = (code: string, status: number) => causeOf(new Failure(code, status, ""));
  assert.equal(cause("network", 0), "errorNetwork");
  assert.equal(cause("quota_exceeded", 429), "errorQuota");
  assert.equal(cause("rate_limit_exceeded", 429), "errorRate");
  assert.equal(cause("origin_not_allowed", 403), "errorOrigin");
  assert.equal(cause("invalid_api_key", 401), "errorKey");
  assert.equal(cause("session_busy", 409), "errorBusy");
  assert.equal(cause("context_length_exceeded", 400), "errorTooLong");
  assert.equal(cause("content_refused", 400), "errorRefused");
  assert.equal(cause("run_interrupted", 503), "errorInterrupted");
  assert.equal(cause("http_502", 502), "errorProvider");
  assert.equal(cause("provider_overloaded", 500), "errorProvider");
  assert.equal(cause("constructor", 500), "errorServer");
  assert.equal(cause("anything", 418), "errorServer");
});
