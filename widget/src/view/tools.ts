import type { ToolEvent } from "../api.js";
import { type Failure, causeOf } from "../failure.js";
import { type Strings, fill } from "../locale/index.js";
import type { Message } from "../message.js";
import { h } from "./dom.js";

export interface ToolEvents {
  /** The visitor decides; it rejects with a Failure when the server does not take the decision. */
  approve(m: Message, tool: ToolEvent, allow: boolean): Promise<void>;
  /** There is a prompt to answer, which says the text; without a prompt the one that had the focus is gone. */
  asked(text: string, prompt?: HTMLElement): void;
}

const words = { running: "toolRunning", waiting: "toolWaiting", done: "toolDone", failed: "toolFailed", denied: "toolDenied" } as const;

/** Shows in a line each what the tools do for an answer, and a prompt for one that waits. All of it is text: a tool's name and words may come from anybody. */
export function showTools(s: Strings, into: HTMLElement, m: Message, events: ToolEvents): void {
  const before = [...into.children] as HTMLElement[];
  const ended = m.failure || m.state === "stopped";
  const rows = (m.tools ?? []).map((t) => {
    const status = ended && /^(running|waiting)/.test(t.status) ? "failed" : t.status;
    const name = t.id + status;
    const same = before.find((x) => x.dataset["tool"] === name);
    if (same) return same;
    const text = fill(s[words[status] ?? "toolRunning"], t.name);
    const row = status === "waiting" ? prompt(s, text, m, t, events) : h("p", { class: "note tool" }, text + rest(t));
    row.dataset["tool"] = name;
    return row;
  });
  const hadFocus = before.some((x) => x.matches(":focus-within") && !rows.includes(x));
  if (rows.length !== before.length || rows.some((x, i) => x !== before[i])) into.replaceChildren(...rows);
  if (hadFocus) events.asked("");
  const fresh = rows.find((x) => x.className === "ask" && !before.includes(x));
  if (fresh) events.asked(fresh.innerText, fresh);
}

/** How long it took, and what went wrong. */
function rest({ ms, why }: ToolEvent): string {
  return (ms ? ` · ${ms < 1000 ? ms + " ms" : (ms / 1000).toFixed(1) + " s"}` : "") + (why ? ": " + why : "");
}

function prompt(s: Strings, title: string, m: Message, t: ToolEvent, events: ToolEvents): HTMLElement {
  const said = h("p", { class: "note" });
  const decide = (allow: boolean) => () => {
    box.focus(); // a button that is disabled loses the focus to the page
    buttons.forEach((b) => (b.disabled = true));
    events.approve(m, t, allow).catch((f: Failure) => {
      said.textContent = s[causeOf(f)];
      buttons.forEach((b) => (b.disabled = false));
    });
  };
  const buttons = [h("button", { type: "button", class: "allow", click: decide(true) }, s.allow), h("button", { type: "button", class: "retry", click: decide(false) }, s.deny)];
  const read = t.taint?.length ? [h("p", { class: "note" }, [s.toolRead, ...t.taint.map((x) => x.source)].join(" "))] : [];
  const args = h("pre", { tabindex: 0, dir: "ltr" }, JSON.stringify(t.arguments ?? {}, null, 1));
  const box = h("div", { class: "ask", role: "group", "aria-label": title, tabindex: -1 }, h("p", {}, title), args, ...read, said, h("p", {}, ...buttons));
  return box;
}
