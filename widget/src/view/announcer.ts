import { h } from "./dom.js";

const maxText = 1500;

/**
 * The one live region. The list of messages is silent while an answer streams, since a screen
 * reader would read every token; what matters is said here once, when it is complete.
 */
export class Announcer {
  readonly element = h("div", { class: "hidden", "aria-live": "polite", "aria-atomic": "true" });

  say(text: string): void {
    const short = text.length > maxText ? text.slice(0, maxText) + "…" : text;
    // The same words twice are read again only if the region was empty in between.
    this.element.textContent = "";
    setTimeout(() => (this.element.textContent = short), 60);
  }
}
