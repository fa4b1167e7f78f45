// A DOM for node's test runner, and what several tests share.

import { JSDOM } from "jsdom";

import { Painter } from "../src/markdown/paint.js";
import { MarkdownView } from "../src/markdown/view.js";

export const dom = new JSDOM("<!doctype html><body></body>", { url: "https://page.test/" });
export const doc = dom.window.document;
export const painter = new Painter(doc, { copy: "Copy", code: "Code", table: "Table", done: "done", notDone: "not done" });

/** A generator of the same numbers for the same seed (mulberry32), 0 <= n < 1. */
export function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The text painted in one piece. */
export function whole(text: string): HTMLElement {
  return streamed([text]);
}

/** The text painted piece by piece, shown after each. */
export function streamed(pieces: string[]): HTMLElement {
  const root = doc.createElement("div");
  const view = new MarkdownView(root, painter);
  for (const piece of pieces) {
    view.push(piece);
    view.flush();
  }
  view.finish();
  return root;
}

/** Cuts the text at random places, also inside surrogate pairs. */
export function cut(text: string, next: () => number, mean: number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const size = 1 + Math.floor(next() * mean * 2);
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}
