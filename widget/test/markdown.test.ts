import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

import { safeUrl } from "../src/markdown/url.js";
import { MarkdownView } from "../src/markdown/view.js";
import { cut, doc, painter, random, streamed, whole } from "./dom.js";

interface Example {
  markdown: string;
  html: string;
  section: string;
  number: number;
}

const spec = (createRequire(import.meta.url)("commonmark-spec") as { tests: Example[] }).tests;

/** One form for our nodes and for the HTML that the specification expects. */
function normal(root: Element): string {
  const clone = root.cloneNode(true) as Element;
  for (const code of clone.querySelectorAll("div.code")) {
    code.querySelector(".bar")!.remove();
    code.replaceWith(code.querySelector("pre")!);
  }
  for (const h of clone.querySelectorAll("h3[class]")) {
    const to = doc.createElement(h.className);
    to.append(...h.childNodes);
    h.replaceWith(to);
  }
  for (const a of clone.querySelectorAll("a")) {
    const url = safeUrl(a.getAttribute("href") ?? "");
    if (url) a.title = url.href;
    else a.replaceWith(...a.childNodes);
  }
  for (const e of clone.querySelectorAll("*")) {
    for (const { name } of [...e.attributes]) if (name !== "title" && name !== "start") e.removeAttribute(name);
  }
  clone.normalize();
  return clone.innerHTML.replace(/\s*\n\s*/g, "\n").replace(/>\n/g, ">").replace(/\n</g, "<").replace(/(<p>)\s+|\s+(?=<\/p>)/g, "$1").trim();
}

test("CommonMark: at least 95 % of the examples without raw HTML and images", () => {
  const failed: number[] = [];
  let count = 0;
  for (const example of spec) {
    const expected = doc.createElement("div");
    expected.innerHTML = example.html.replace(/→/g, "\t");
    const markdown = example.markdown.replace(/→/g, "\t");
    const ours = whole(markdown);
    if (/HTML/.test(example.section) || ours.querySelector(".raw, .image") || expected.querySelector("img")) continue;
    count++;
    if (normal(ours) !== normal(expected)) failed.push(example.number);
  }
  assert.ok(count > 500, `only ${count} examples`);
  assert.ok(failed.length <= count * 0.05, `${failed.length} of ${count} differ: ${failed.join(" ")}`);
});

const answer = `# Plan

Some *text* with **bold**, \`code\`, ~~gone~~ and <https://example.com/a?b=c&d>.
A second line\\
after a break.

1. one
2. two
   - nested *item*
   - [x] done
   - [ ] open

   more of two
3. three

- loose

- list

| Name | Size | Note |
|:-----|-----:|:----:|
| a    |    1 | **x** |
| b \\| c | 22 | [link](https://example.com) |

> quote with \`code\`
> - and a list
lazy line

\`\`\`go title="main.go"
package main

func main() { println("𝒳 \\n") }
\`\`\`

    indented code

    more of it

Setext
------

***

~~~~
fence ~~~ inside
~~~~
Text right after [ref] and ![alt](https://img.test/x.png).

[ref]: https://example.com/ref "title"
`;

test("an answer cut anywhere looks like the whole", () => {
  const expected = whole(answer).innerHTML;
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    assert.equal(streamed(cut(answer, next, 1 + next() * 30)).innerHTML, expected, `seed ${seed}`);
  }
  assert.equal(streamed([...answer]).innerHTML, expected, "per character");
  assert.equal(streamed(cut(answer.replace(/\n/g, "\r\n"), random(7), 3)).innerHTML, expected, "CRLF");
});

test("random markdown cut at random looks like the whole", () => {
  const parts = [
    "text", " ", "\n", "\n", "\n\n", "# ", "## ", "- ", "* ", "1. ", "  - ", "    ", "> ", "```", "```js\n", "~~~\n", "|", "a|b\n", "-|-\n",
    "---", "===", "***", "**", "*", "_", "`", "~~", "[", "](", "](https://a.test)", "[x]: https://b.test\n", "[x]", "<div>", "</div>", "<b>", "<!--",
    "-->", "\\", "&amp;", "&#65;", "![", "https://c.test/d", "me@d.test", "\t", "2) ", "[ ] ", "é", "𝒳", "\r\n",
  ];
  for (let seed = 1; seed <= 400; seed++) {
    const next = random(seed * 7919);
    const text = Array.from({ length: 5 + Math.floor(next() * 60) }, () => parts[Math.floor(next() * parts.length)]).join("");
    const expected = whole(text).innerHTML;
    assert.equal(streamed(cut(text, next, 4)).innerHTML, expected, JSON.stringify(text));
  }
});

test("finished blocks stay the same nodes while an answer grows", () => {
  const text = answer.replace(/\[ref\].*/gs, "the end.\n");
  const root = doc.createElement("div");
  const view = new MarkdownView(root, painter);
  const kept: Node[] = [];
  for (const piece of cut(text, random(3), 4)) {
    view.push(piece);
    view.flush();
    kept.forEach((node, i) => assert.equal(root.childNodes[i], node, `block ${i} was replaced`));
    // The last two blocks may still change.
    for (let i = kept.length; i < root.childNodes.length - 2; i++) kept.push(root.childNodes[i]!);
  }
  view.finish();
  kept.forEach((node, i) => assert.equal(root.childNodes[i], node, `block ${i} was replaced at the end`));
  assert.ok(kept.length >= 10, `only ${kept.length} blocks`);
});

test("an open code block grows by text nodes, not by lexing", () => {
  const root = doc.createElement("div");
  const view = new MarkdownView(root, painter);
  view.push("```js\nlet a = 1;\n");
  view.flush();
  const code = root.querySelector("code")!;
  const first = code.firstChild;
  for (let i = 0; i < 2000; i++) {
    view.push(`let v${i} = ${i};\n`);
    view.flush();
  }
  assert.equal(root.querySelector("code"), code);
  assert.equal(code.firstChild, first);
  view.push("```\nafter\n");
  view.finish();
  assert.equal(root.querySelectorAll("p").length, 1);
  assert.match(root.querySelector("code")!.textContent!, /^let a = 1;\n(let v\d+ = \d+;\n){2000}$/);
});

test("text that would blow up a parser is shown as it is, fast", () => {
  const cases: Record<string, string> = {
    brackets: "[".repeat(50_000),
    stars: "*".repeat(50_000),
    underscores: "_a".repeat(25_000),
    strikes: "~a~~".repeat(12_000),
    quotes: ">".repeat(100_000),
    quotesSpaced: "> ".repeat(50_000),
    lists: Array.from({ length: 2000 }, (_, i) => " ".repeat(i) + "- a").join("\n"),
    listLine: "- ".repeat(50_000),
    images: "![a](".repeat(12_000),
    ticks: Array.from({ length: 400 }, (_, i) => "`".repeat(i) + "a").join(""),
    line: "x".repeat(1_000_000),
  };
  for (const [name, text] of Object.entries(cases)) {
    const root = doc.createElement("div");
    const view = new MarkdownView(root, painter);
    let worst = 0;
    for (const piece of cut(text, random(5), 2000)) {
      view.push(piece);
      const began = performance.now();
      view.flush();
      worst = Math.max(worst, performance.now() - began);
    }
    view.finish();
    assert.equal(root.textContent!.replace(/\s/g, ""), text.replace(/\s/g, ""), name);
    assert.ok(worst < 400, `${name}: one flush took ${worst.toFixed(0)} ms`);
    assert.equal(root.innerHTML, whole(text).innerHTML, `${name}: cut and whole differ`);
  }
});
