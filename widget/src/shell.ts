// What the loader hands to the app. A cached loader may be one release older or newer than
// the app it fetches, so fields are only ever added here, never renamed or given a new meaning.

/** A call made through window.Clawless, such as ["send", "hello"]. */
export type Call = [method: string, ...args: unknown[]];

/** The events that a page can listen to with Clawless.on(). */
export type EventName = "ready" | "open" | "close" | "message" | "error" | "new";

/** True for the positions on the side where lines begin. */
export function startSide(position = ""): boolean {
  return /left|start/.test(position);
}

/** The page, the launcher and the bus to the page's listeners. */
export interface Shell {
  /** The one element that the widget adds to the page. */
  host: HTMLElement;
  root: ShadowRoot;
  launcher: HTMLButtonElement;
  /** The data-* attributes of the script tag. */
  data: DOMStringMap;
  /** Base URL of the API without a slash at the end. */
  server: string;
  /** Calls the page's listeners; a listener that throws harms nobody else. */
  emit(event: EventName, detail?: unknown): void;
}

/** What the app gives back to the loader. */
export interface App {
  open(): void;
  close(): void;
  toggle(): void;
  send(text: string): void;
  destroy(): void;
}
