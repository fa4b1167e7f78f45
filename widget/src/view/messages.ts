import { causeOf } from "../failure.js";
import { type Strings, fill } from "../locale/index.js";
import { Painter } from "../markdown/paint.js";
import { MarkdownView } from "../markdown/view.js";
import type { Message } from "../message.js";
import { h, icon } from "./dom.js";
import { Follower } from "./scroll.js";
import { type ToolEvents, showTools } from "./tools.js";

/** Text is painted at most 25 times a second, and less often when painting is slow. */
const paintEveryMs = 40;

interface Row {
  element: HTMLElement;
  tools: HTMLElement;
  body: HTMLElement;
  foot: HTMLElement;
  view: MarkdownView | null;
  shown: string;
}

export interface MessageEvents extends ToolEvents {
  retry(m: Message): void;
}

/** The list of messages. */
export class Messages {
  readonly list: HTMLElement;
  readonly jump: HTMLButtonElement;
  readonly #rows = new Map<Message, Row>();
  readonly #painter: Painter;
  readonly #follower: Follower;
  /** The answer that has text to paint. */
  #growing: Row | null = null;
  #paintTimer = 0;
  #pause = paintEveryMs;

  readonly #strings: Strings;
  readonly #events: MessageEvents;

  constructor(strings: Strings, greeting: HTMLElement, events: MessageEvents) {
    this.#strings = strings;
    this.#events = events;
    this.#painter = new Painter(document, strings);
    this.list = h(
      "div",
      { class: "log", role: "log", "aria-live": "off", "aria-label": strings.conversation, tabindex: 0, click: ((e: Event) => void this.#clicked(e)) as EventListener },
      greeting,
    );
    this.jump = h("button", { type: "button", class: "jump", "aria-label": strings.latest, hidden: "", click: () => this.#toEnd() }, icon("down"));
    this.#follower = new Follower(this.list, this.jump);
  }

  add(m: Message): void {
    const user = m.role === "user";
    const body = h("div", { class: "body", dir: "auto" });
    const tools = h("div");
    const foot = h("div", { class: "foot" });
    const element = h("div", { class: "row " + m.role }, h("span", { class: "hidden" }, (user ? this.#strings.you : this.#strings.assistant) + ": "), tools, body, foot);
    const row: Row = { element, tools, body, foot, view: null, shown: "" };
    this.#rows.set(m, row);
    this.list.append(element);
    this.change(m);
    if (user) this.#follower.begin(element);
    else this.#follower.update();
  }

  remove(m: Message): void {
    const row = this.#rows.get(m);
    if (!row) return;
    this.#rows.delete(m);
    row.element.remove();
  }

  /** More text of an answer; it is painted with the next tick. */
  text(m: Message, delta: string): void {
    const row = this.#rows.get(m);
    if (!row) return;
    row.view ??= this.#fresh(row);
    row.view.push(delta);
    row.shown += delta;
    this.#growing = row;
    if (!this.#paintTimer) this.#paintTimer = window.setTimeout(() => this.#paint(), this.#pause);
  }

  #fresh(row: Row): MarkdownView {
    row.body.replaceChildren();
    row.shown = "";
    return new MarkdownView(row.body, this.#painter);
  }

  #paint(): void {
    this.#paintTimer = 0;
    const began = performance.now();
    this.#growing?.view?.flush();
    this.#growing = null;
    this.#follower.update();
    // At most a fifth of the time goes into painting, however slow the device.
    this.#pause = Math.max(paintEveryMs, (performance.now() - began) * 4);
  }

  /** The state or the whole text of m changed. */
  change(m: Message): void {
    const row = this.#rows.get(m);
    if (!row) return;
    const ended = m.state === "done" || m.state === "stopped" || m.state === "failed";
    row.element.dataset["state"] = m.state;
    if (m.role === "user") {
      row.body.textContent = m.text;
    } else {
      if (m.text !== row.shown) {
        row.view = this.#fresh(row);
        row.view.push(m.text);
        row.shown = m.text;
        row.view.flush();
      }
      if (ended) {
        row.view?.finish();
        row.view = null;
      }
      row.body.classList.toggle("live", m.state === "streaming");
      row.element.setAttribute("aria-busy", String(!ended));
    }
    row.foot.replaceChildren(...this.#foot(m));
    showTools(this.#strings, row.tools, m, this.#events);
    this.#follower.update();
  }

  /** What stands under a message: the typing indicator, a note, or the error row. */
  #foot(m: Message): Node[] {
    const s = this.#strings;
    if (m.state === "failed") return [this.#errorRow(m)];
    if (m.state === "waiting") return m.tools?.some((t) => t.status === "waiting") ? [] : [typing(s.writing)];
    if (m.state === "queued") return [h("p", { class: "note" }, s.queued)];
    if (m.role === "user") return [];
    const note = m.state === "stopped" ? s.stopped : m.note === "length" ? s.cutShort : m.note === "filter" ? s.filtered : "";
    return note ? [h("p", { class: "note" }, note)] : [];
  }

  #errorRow(m: Message): HTMLElement {
    const f = m.failure!;
    return errorRow(this.#strings, this.#strings[causeOf(f)], f.retryAfter, f.status >= 500 ? f.requestId : "", () => this.#events.retry(m));
  }

  /** The text of an answer as it is read out. */
  spoken(m: Message): string {
    const row = this.#rows.get(m);
    return [this.#strings.assistant + ":", row?.body.innerText ?? m.text, row?.foot.innerText ?? ""].join(" ").trim();
  }

  async #clicked(e: Event): Promise<void> {
    const button = (e.target as Element).closest<HTMLButtonElement>("button.copy");
    const code = button?.closest(".code")?.querySelector("code");
    if (!button || !code) return;
    const s = this.#strings;
    const done = await navigator.clipboard.writeText(code.textContent).then(() => s.copied, () => s.copyFailed);
    button.textContent = done;
    setTimeout(() => (button.textContent = s.copy), 1600);
  }

  /** Shows the row in place of another of the same kind, after the messages. */
  notice(row: HTMLElement | null): void {
    this.list.querySelector(":scope > .error")?.remove();
    if (row) this.list.append(row);
    this.#follower.update();
  }

  #toEnd(): void {
    this.#follower.toEnd();
    this.list.focus(); // The button that had the focus is gone.
  }

  /** To be called when the list became visible: hidden, it has no size to scroll in. */
  shown(): void {
    this.#follower.toEnd();
  }

  destroy(): void {
    clearTimeout(this.#paintTimer);
  }
}

function typing(label: string): HTMLElement {
  return h("div", { class: "typing", role: "img", "aria-label": label }, h("i"), h("i"), h("i"));
}

/** A cause in the visitor's words, and a way on. The button waits as long as the server asked. */
export function errorRow(s: Strings, cause: string, waitMs: number, reference: string, retry: () => void): HTMLElement {
  const button = h("button", { type: "button", class: "retry", click: retry });
  const text = h("div", {}, h("p", {}, cause));
  if (reference) text.append(h("p", { class: "reference" }, fill(s.reference, reference)));
  const row = h("div", { class: "error" }, icon("alert"), text, button);
  let left = Math.ceil(waitMs / 1000);
  const tick = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? fill(s.tryAgainIn, left) : s.tryAgain;
    if (left-- > 0) setTimeout(tick, 1000);
  };
  tick();
  return row;
}
