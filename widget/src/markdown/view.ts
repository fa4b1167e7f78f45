// A growing answer on the screen. Blocks that can no longer change are painted once and never
// touched again; only the open tail is lexed anew, and inside it only what differs is replaced.

import { Lexer, type Links, type Token, type Tokens, type TokensList } from "marked";

import { Guard } from "./guard.js";
import { type Painter, codeText } from "./paint.js";
import { withoutOverrides } from "./url.js";

interface Block {
  token: Token;
  node: HTMLElement | null;
}

/** An open code fence: its lines are appended as text, without lexing what came before. */
interface Fence {
  close: RegExp;
  /** Up to here the source is shown. */
  at: number;
  lines: Text;
  partial: Text;
}

/** Above this length the finished text is not compared with a lexing of the whole. */
const maxCompare = 200_000;

export class MarkdownView {
  #source = "";
  #heldReturn = "";
  /** Where the open tail begins. */
  #settled = 0;
  #tail: Block[] = [];
  /** Kind and length of every settled block, to compare with the whole at the end. */
  #marks = "";
  #links: Links = Object.create(null) as Links;
  #fence: Fence | null = null;
  #plain: Text | null = null;
  #plainAt = 0;
  readonly #guard = new Guard();

  readonly #root: HTMLElement;
  readonly #painter: Painter;

  constructor(root: HTMLElement, painter: Painter) {
    this.#root = root;
    this.#painter = painter;
  }

  /** Takes more text; flush shows it. */
  push(delta: string): void {
    let piece = this.#heldReturn + delta;
    this.#heldReturn = "";
    if (piece.endsWith("\r")) {
      this.#heldReturn = "\r"; // Half of a line end, perhaps.
      piece = piece.slice(0, -1);
    }
    piece = piece.replace(/\r\n?/g, "\n");
    this.#source += piece;
    this.#guard.feed(piece);
  }

  /** Shows everything that was pushed. */
  flush(): void {
    if (this.#guard.hostile) this.#showPlain();
    else if (!this.#fence || !this.#growFence(this.#fence)) this.#paintTail();
  }

  /** Shows everything for good, the same as if it had come in one piece. */
  finish(): void {
    if (this.#heldReturn) {
      this.#heldReturn = "";
      this.#source += "\n";
      this.#guard.feed("\n");
    }
    this.#fence = null;
    this.flush();
    if (this.#plain || this.#source.length > maxCompare) return;
    const tokens = this.#lex(this.#source, Object.create(null) as Links);
    // A definition may stand behind the link that needs it, anywhere.
    if (tokens && (Object.keys(tokens.links).length || this.#marks + this.#tail.map((b) => mark(b.token)).join("") !== tokens.map(mark).join(""))) {
      this.#root.replaceChildren(...tokens.map((t) => this.#painter.block(t)).filter((n) => n !== null));
    }
  }

  #lex(text: string, links: Links): TokensList | null {
    const lexer = new Lexer();
    Object.assign(lexer.tokens.links, links);
    try {
      return lexer.lex(text);
    } catch {
      this.#guard.hostile = true; // Nested deeper than the parser's stack.
      this.#showPlain();
      return null;
    }
  }

  #paintTail(): void {
    const tokens = this.#lex(this.#source.slice(this.#settled), this.#links);
    if (!tokens) return;
    this.#patch(tokens);
    const count = settledCount(tokens);
    for (const { token } of this.#tail.splice(0, count)) {
      this.#settled += token.raw.length;
      this.#marks += mark(token);
      if (token.type === "def") this.#links[token.tag] ??= { href: token.href, title: token.title };
    }
    this.#openFence();
  }

  /** Makes the painted tail, the last children of the root, equal to the tokens. */
  #patch(tokens: Token[]): void {
    const old = this.#tail;
    let i = 0;
    while (i < old.length && old[i]!.token.type === tokens[i]?.type && old[i]!.token.raw === tokens[i]!.raw) i++;
    const now = old.slice(0, i);
    const grown = old[i];
    if (grown?.node && tokens[i] && this.#reuse(grown.token, tokens[i]!, grown.node)) {
      now.push({ token: tokens[i++]!, node: grown.node });
    }
    for (const { node } of old.slice(i)) node?.remove();
    for (; i < tokens.length; i++) {
      const block = { token: tokens[i]!, node: this.#painter.block(tokens[i]!) };
      if (block.node) this.#root.append(block.node);
      now.push(block);
    }
    this.#tail = now;
  }

  /** Changes the node of a grown code block, list or table in place; false if it cannot. */
  #reuse(was: Token, now: Token, node: HTMLElement): boolean {
    if (was.type !== now.type) return false;
    if (was.type === "code" && now.type === "code") {
      if (was.lang !== now.lang) return false;
      node.querySelector("code")!.textContent = codeText(now as Tokens.Code);
      return true;
    }
    if (now.type === "list") {
      const a = was as Tokens.List;
      const b = now as Tokens.List;
      if (a.ordered !== b.ordered || a.start !== b.start || a.loose !== b.loose) return false;
      sync(node, a.items, b.items, (x, y) => x.raw === y.raw, (x) => this.#painter.item(x));
      return true;
    }
    if (now.type === "table") {
      const a = was as Tokens.Table;
      const b = now as Tokens.Table;
      if (!sameRow(a.header, b.header)) return false;
      sync(node.querySelector("tbody")!, a.rows, b.rows, sameRow, (x) => this.#painter.row(x, "td"));
      return true;
    }
    return false;
  }

  #openFence(): void {
    const block = this.#tail[0];
    if (this.#tail.length !== 1 || block?.token.type !== "code" || !block.node) return;
    const tail = this.#source.slice(this.#settled);
    const head = /^(`{3,}|~{3,})[^\n]*\n/.exec(tail);
    if (!head) return;
    const mark = head[1]!;
    const close = new RegExp(`^ {0,3}${mark[0]}{${mark.length},} *\n`, "m");
    if (close.test(tail.slice(head[0].length))) return;
    const code = block.node.querySelector("code")!;
    const lines = code.ownerDocument.createTextNode("");
    const partial = code.ownerDocument.createTextNode("");
    code.replaceChildren(lines, partial);
    this.#fence = { close, at: this.#settled + head[0].length, lines, partial };
    this.#growFence(this.#fence);
  }

  /** Appends the new lines of an open fence; false when it was closed. */
  #growFence(f: Fence): boolean {
    const end = this.#source.lastIndexOf("\n") + 1;
    if (end > f.at) {
      const fresh = this.#source.slice(f.at, end);
      if (f.close.test(fresh)) {
        this.#fence = null;
        return false;
      }
      f.lines.appendData(withoutOverrides(fresh));
      f.at = end;
    }
    const rest = this.#source.slice(f.at);
    f.partial.data = /^ {0,3}[`~]*$/.test(rest) ? "" : withoutOverrides(rest);
    return true;
  }

  #showPlain(): void {
    if (!this.#plain) {
      const doc = this.#root.ownerDocument;
      const p = doc.createElement("p");
      p.className = "raw";
      this.#plain = doc.createTextNode("");
      p.append(this.#plain);
      this.#root.replaceChildren(p);
      this.#tail = [];
    }
    this.#plain.appendData(this.#source.slice(this.#plainAt));
    this.#plainAt = this.#source.length;
  }
}

function mark(t: Token): string {
  return t.type + t.raw.length;
}

/**
 * How many tokens no later text can change: all before the last block that begins on a finished
 * line, since a new block closes the one before it, but half a line may still turn out to go on
 * with the one before.
 */
function settledCount(tokens: Token[]): number {
  let rest = "";
  for (let i = tokens.length - 1; i > 0; i--) {
    const t = tokens[i]!;
    rest = t.raw + rest;
    if (t.type !== "space" && rest.includes("\n")) return i;
  }
  return 0;
}

function sameRow(a: Tokens.TableCell[], b: Tokens.TableCell[]): boolean {
  return a.length === b.length && a.every((c, i) => c.text === b[i]!.text && c.align === b[i]!.align);
}

/** Replaces the children from the first difference on; children and items correspond by index. */
function sync<T>(parent: Element, was: T[], now: T[], same: (a: T, b: T) => boolean, paint: (x: T) => HTMLElement): void {
  let i = 0;
  while (i < was.length && i < now.length && same(was[i]!, now[i]!)) i++;
  while (parent.children.length > i) parent.lastElementChild!.remove();
  for (; i < now.length; i++) parent.append(paint(now[i]!));
}
