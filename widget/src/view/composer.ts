import type { Strings } from "../locale/index.js";
import { h, icon } from "./dom.js";

export interface ComposerEvents {
  send(text: string): void;
  stop(): void;
}

/** The field that grows with its text, and the one button that sends or stops. */
export class Composer {
  readonly field: HTMLTextAreaElement;
  readonly element: HTMLFormElement;
  readonly #button: HTMLButtonElement;
  #busy = false;

  readonly #strings: Strings;
  readonly #events: ComposerEvents;

  constructor(strings: Strings, events: ComposerEvents) {
    this.#strings = strings;
    this.#events = events;
    this.field = h("textarea", {
      rows: 1,
      "aria-label": strings.message,
      placeholder: strings.placeholder,
      enterkeyhint: "send",
      dir: "auto",
      input: () => this.#update(),
      keydown: ((e: KeyboardEvent) => this.#key(e)) as EventListener,
    });
    this.#button = h("button", { type: "submit", class: "send" });
    this.element = h("form", { class: "composer", submit: ((e: Event) => this.#submit(e)) as EventListener }, this.field, this.#button);
    this.#update();
  }

  #key(e: KeyboardEvent): void {
    // While an input method composes a word, Enter picks the word.
    if (e.key !== "Enter" || e.shiftKey || e.isComposing || e.keyCode === 229) return;
    e.preventDefault();
    if (!this.#busy) this.element.requestSubmit();
  }

  #submit(e: Event): void {
    e.preventDefault();
    if (this.#busy) {
      this.#events.stop();
      return;
    }
    const text = this.field.value.trim();
    if (!text) return;
    this.field.value = "";
    this.#update();
    this.#events.send(text);
    this.field.focus();
  }

  setBusy(busy: boolean): void {
    this.#busy = busy;
    this.#update();
  }

  #update(): void {
    const name = this.#busy ? "stop" : "send";
    this.#button.setAttribute("aria-label", this.#strings[name]);
    this.#button.replaceChildren(icon(name));
    // aria-disabled keeps the button in the order of focus, where it was a moment ago.
    this.#button.setAttribute("aria-disabled", String(!this.#busy && !this.field.value.trim()));
    this.resize();
  }

  /** Makes the field as high as its text; the style sheet has the limit. */
  resize(): void {
    const style = this.field.style;
    style.height = "auto";
    style.height = this.field.scrollHeight + "px";
  }
}
