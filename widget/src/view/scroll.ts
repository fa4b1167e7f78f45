/** Within so many pixels of the end, the reader counts as being at the end. */
const nearEnd = 48;

/**
 * Keeps the newest text in view while the reader is at the end, but stops when the question has
 * reached the top: a long answer is read from its start, not chased. Scrolling up pauses it.
 */
export class Follower {
  #following = true;
  #anchor: HTMLElement | null = null;
  #aimed = 0;

  readonly #list: HTMLElement;
  readonly #jump: HTMLElement;

  constructor(list: HTMLElement, jump: HTMLElement) {
    this.#list = list;
    this.#jump = jump;
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  /** Follows again; the element is the question whose answer comes. */
  begin(question: HTMLElement | null): void {
    this.#anchor = question;
    this.#following = true;
    this.update();
  }

  /** To be called after the list grew. */
  update(): void {
    const list = this.#list;
    const anchor = this.#anchor;
    if (this.#following) {
      let top = list.scrollHeight - list.clientHeight;
      if (anchor?.isConnected) top = Math.min(top, anchor.offsetTop - 12);
      if (Math.abs(list.scrollTop - top) > 1) list.scrollTop = this.#aimed = Math.max(top, 0);
    }
    this.#mark();
  }

  toEnd(): void {
    this.#anchor = null;
    this.#following = true;
    this.update();
  }

  #scrolled(): void {
    const list = this.#list;
    if (Math.abs(list.scrollTop - this.#aimed) > 2) {
      this.#following = this.#rest() < nearEnd;
      if (this.#following) this.#anchor = null;
    }
    this.#mark();
  }

  #rest(): number {
    return this.#list.scrollHeight - this.#list.clientHeight - this.#list.scrollTop;
  }

  #mark(): void {
    this.#jump.hidden = this.#rest() < nearEnd;
  }
}
