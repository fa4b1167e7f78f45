// Turns marked's tokens into DOM nodes. No HTML string is ever made or parsed: raw HTML in an
// answer is shown as the text it is, links are judged by URL, and images are never fetched.

import type { Token, Tokens } from "marked";

import { decode } from "./entities.js";
import { safeUrl, withoutOverrides } from "./url.js";

export interface Labels {
  copy: string;
  code: string;
  table: string;
  done: string;
  notDone: string;
}

const maxDepth = 40;

/** Makes the nodes of one document, with the labels of one language. */
export class Painter {
  readonly #doc: Document;
  readonly #labels: Labels;

  constructor(doc: Document, labels: Labels) {
    this.#doc = doc;
    this.#labels = labels;
  }

  /** The node of a block; null for what is not shown, such as a link definition. */
  block(t: Token, depth = 0): HTMLElement | null {
    if (depth > maxDepth) return this.#el("p", t.raw);
    switch (t.type) {
      case "space":
      case "def":
        return null;
      case "hr":
        return this.#el("hr");
      case "heading":
        // The panel's title is h2; levels of an answer are looks, so that no level is skipped.
        return this.#inline(t.tokens, this.#el("h3", "", "h" + t.depth), depth);
      case "code":
        return this.#code(t as Tokens.Code);
      case "blockquote":
        return this.#fill(this.#el("blockquote"), t.tokens, depth);
      case "list":
        return this.#list(t as Tokens.List, depth);
      case "table":
        return this.#table(t as Tokens.Table, depth);
      case "html":
        return this.#el("p", t.raw.trimEnd(), "raw");
      case "paragraph":
        return this.#inline(t.tokens, this.#el("p"), depth);
      default:
        return this.#inline([t], this.#el("p"), depth);
    }
  }

  /** Appends the blocks; text directly in a tight list item gets no paragraph. */
  #fill(into: HTMLElement, tokens: Token[] | undefined, depth: number): HTMLElement {
    for (const t of tokens ?? []) {
      if (t.type === "text" || t.type === "checkbox") {
        this.#inline([t], into, depth + 1);
      } else {
        const node = this.block(t, depth + 1);
        if (node) into.append(node);
      }
    }
    return into;
  }

  #code(t: Tokens.Code): HTMLElement {
    const box = this.#el("div", "", "code");
    const bar = this.#el("div", "", "bar");
    const lang = decode(/^\S*/.exec(t.lang ?? "")![0]);
    const copy = this.#el("button", this.#labels.copy, "copy") as HTMLButtonElement;
    copy.type = "button";
    bar.append(this.#el("span", lang.slice(0, 24) || this.#labels.code), copy);
    const pre = this.#el("pre");
    pre.tabIndex = 0;
    pre.dir = "ltr";
    pre.append(this.#el("code", codeText(t)));
    box.append(bar, pre);
    return box;
  }

  #list(t: Tokens.List, depth: number): HTMLElement {
    const list = this.#el(t.ordered ? "ol" : "ul");
    if (t.ordered && t.start !== 1 && t.start !== "") (list as HTMLOListElement).start = t.start;
    for (const item of t.items) list.append(this.item(item, depth));
    return list;
  }

  /** One item of a list at the depth of the list. */
  item(t: Tokens.ListItem, depth = 0): HTMLElement {
    return this.#fill(this.#el("li", "", t.task ? "task" : ""), t.tokens, depth);
  }

  #table(t: Tokens.Table, depth: number): HTMLElement {
    const box = this.#el("div", "", "scroll");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", this.#labels.table);
    const table = this.#el("table");
    const head = this.#el("thead");
    const body = this.#el("tbody");
    head.append(this.row(t.header, "th", depth));
    for (const row of t.rows) body.append(this.row(row, "td", depth));
    table.append(head, body);
    box.append(table);
    return box;
  }

  /** One row of a table. */
  row(cells: Tokens.TableCell[], tag: "th" | "td", depth = 0): HTMLElement {
    const tr = this.#el("tr");
    for (const c of cells) {
      const cell = this.#inline(c.tokens, this.#el(tag, "", c.align ? "to-" + c.align : ""), depth);
      if (tag === "th") cell.setAttribute("scope", "col");
      tr.append(cell);
    }
    return tr;
  }

  #inline(tokens: Token[] | undefined, into: HTMLElement, depth: number, inLink = false): HTMLElement {
    for (const t of tokens ?? []) {
      if (depth > maxDepth) into.append(t.raw);
      else this.#span(t, into, depth + 1, inLink);
    }
    return into;
  }

  #span(t: Token, into: HTMLElement, depth: number, inLink: boolean): void {
    switch (t.type) {
      case "strong":
      case "em":
      case "del":
        into.append(this.#inline(t.tokens, this.#el(t.type), depth, inLink));
        break;
      case "codespan":
        into.append(this.#el("code", withoutOverrides(t.text)));
        break;
      case "br":
        into.append(this.#el("br"));
        break;
      case "link":
        this.#link(t as Tokens.Link, into, depth, inLink);
        break;
      case "image":
        this.#image(t as Tokens.Image, into, inLink);
        break;
      case "checkbox":
        into.append(this.#box(t as Tokens.Checkbox));
        break;
      case "html":
        // Models break lines inside table cells with <br>; that one tag means no harm.
        into.append(/^<br *\/?>$/i.test(t.raw) ? this.#el("br") : t.raw);
        break;
      case "escape":
        into.append(t.text);
        break;
      default:
        if ("tokens" in t && t.tokens) this.#inline(t.tokens, into, depth, inLink);
        else into.append(decode("text" in t ? t.text : t.raw));
    }
  }

  #link(t: Tokens.Link, into: HTMLElement, depth: number, inLink: boolean): void {
    const url = inLink ? null : safeUrl(t.autolink ? t.href : decode(t.href));
    const place = url ? this.#anchor(url) : this.#el("span");
    if (t.autolink) place.append(t.text);
    else this.#inline(t.tokens, place, depth, true);
    if (url) into.append(place);
    else into.append(...place.childNodes);
  }

  #anchor(url: URL): HTMLAnchorElement {
    const a = this.#el("a") as HTMLAnchorElement;
    a.href = url.href;
    a.target = "_blank";
    a.rel = "noopener noreferrer nofollow";
    a.title = url.href; // Where it leads, whatever its text says.
    return a;
  }

  #image(t: Tokens.Image, into: HTMLElement, inLink: boolean): void {
    const url = inLink ? null : safeUrl(decode(t.href));
    const text = withoutOverrides(decode(t.text));
    if (!url) {
      into.append(text);
      return;
    }
    const a = this.#anchor(url);
    a.className = "image";
    a.append(text || url.host);
    into.append(a);
  }

  #box(t: Tokens.Checkbox): HTMLElement {
    const box = this.#el("span", "", t.checked ? "box on" : "box");
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", t.checked ? this.#labels.done : this.#labels.notDone);
    return box;
  }

  #el(tag: string, text = "", className = ""): HTMLElement {
    const e = this.#doc.createElement(tag);
    if (className) e.className = className;
    if (text) e.append(text);
    return e;
  }
}

/** The text of a code block as it is shown and copied. */
export function codeText(t: Tokens.Code): string {
  return withoutOverrides(t.text.replace(/\n$/, "") + "\n");
}
