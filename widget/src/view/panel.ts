import type { Config } from "../config.js";
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { h, icon } from "./dom.js";
import { type MessageEvents, Messages } from "./messages.js";

export interface PanelEvents extends MessageEvents {
  send(text: string): void;
  stop(): void;
  fresh(): void;
  close(): void;
}

/** The chat window: header, messages, notice, composer. It shows; it decides nothing. */
export class Panel {
  readonly element: HTMLElement;
  readonly messages: Messages;
  readonly composer: Composer;
  readonly announcer = new Announcer();
  readonly #notice = h("div", { class: "notice", role: "status" });
  readonly #title: HTMLElement;
  readonly #greeting: HTMLElement;
  readonly #narrow = matchMedia("(max-width: 480px)");
  readonly #fit = () => this.#fitViewport();

  readonly #events: PanelEvents;

  constructor(config: Config, events: PanelEvents) {
    this.#events = events;
    const s = config.strings;
    this.#title = h("h2", { id: "title", dir: "auto" }, s.title);
    this.#greeting = h("p", { class: "greeting", dir: "auto" }, s.greeting);
    this.messages = new Messages(s, this.#greeting, events);
    this.composer = new Composer(s, events);
    const header = h(
      "header",
      {},
      h("span", { class: "mark" }, icon("spark")),
      this.#title,
      button("fresh", s.newConversation, () => events.fresh()),
      button("close", s.closeChat, () => events.close()),
    );
    const middle = h("div", { class: "middle" }, this.messages.list, this.messages.jump);
    this.element = h(
      "section",
      { class: "panel", role: "dialog", "aria-labelledby": "title", lang: "en", hidden: "", keydown: ((e: KeyboardEvent) => this.#key(e)) as EventListener },
      header,
      middle,
      this.#notice,
      this.composer.element,
      this.announcer.element,
    );
    for (const type of ["resize", "scroll"]) visualViewport?.addEventListener(type, this.#fit);
  }

  /** Shows the texts that the server knows better than the page did. */
  rename(config: Config): void {
    this.#title.textContent = config.strings.title;
    this.#greeting.textContent = config.strings.greeting;
    this.composer.field.placeholder = config.strings.placeholder;
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(): void {
    this.element.hidden = false;
    this.element.setAttribute("aria-modal", String(this.#narrow.matches));
    this.#fitViewport();
    this.composer.resize();
    this.messages.shown();
    // On a touch screen the keyboard would hide the greeting: the visitor taps the field.
    if (matchMedia("(pointer: coarse)").matches && this.#narrow.matches) this.messages.list.focus();
    else this.composer.field.focus();
  }

  close(): void {
    this.element.hidden = true;
  }

  setNotice(text: string): void {
    if (this.#notice.textContent !== text) this.#notice.textContent = text;
  }

  #key(e: KeyboardEvent): void {
    if (e.key === "Escape" && !e.isComposing) {
      e.stopPropagation();
      this.#events.close();
    } else if (e.key === "Tab" && this.#narrow.matches) {
      this.#keepFocus(e);
    }
  }

  /** Full screen, the page behind is covered: Tab goes round inside the panel. */
  #keepFocus(e: KeyboardEvent): void {
    const all = [...this.element.querySelectorAll<HTMLElement>("button, textarea, a[href], [tabindex]")].filter(
      (x) => x.offsetParent !== null && !(x as HTMLButtonElement).disabled,
    );
    const edge = e.shiftKey ? all[0] : all.at(-1);
    if ((this.element.getRootNode() as ShadowRoot).activeElement !== edge) return;
    e.preventDefault();
    (e.shiftKey ? all.at(-1) : all[0])?.focus();
  }

  /** Full screen means the part that the on-screen keyboard leaves. */
  #fitViewport(): void {
    const view = visualViewport;
    if (!view || !this.isOpen) return;
    this.element.style.setProperty("--view-height", view.height + "px");
    this.element.style.setProperty("--view-top", view.offsetTop + "px");
  }

  destroy(): void {
    this.messages.destroy();
    for (const type of ["resize", "scroll"]) visualViewport?.removeEventListener(type, this.#fit);
  }
}

function button(name: "fresh" | "close", label: string, click: () => void): HTMLElement {
  return h("button", { type: "button", class: "icon", "aria-label": label, title: label, click }, icon(name));
}
