// What the widget remembers. Pages may block storage, fill it or clear it at any time, so every
// access is tried and a copy in memory stands in.

import type { Queued } from "./message.js";

/** Kept over visits, under a key derived from the publishable key. */
export interface Visitor {
  visitor_id?: string | undefined;
  visitor_secret?: string | undefined;
  /** The conversation to restore; null after "new conversation", missing on the first visit. */
  session_id?: string | null | undefined;
  /** The brand colour of the last visit and text on it, for the launcher before the app is loaded. */
  colors?: [string, string];
}

/** Kept for this tab only, over reloads. */
export interface TabState {
  /** Messages written but not yet taken by the server. */
  queue?: Queued[];
  /** The run whose answer is being shown. */
  run?: { id: string; session: string } | undefined;
}

export function storageKey(publishableKey: string): string {
  return "clawless." + publishableKey.slice(-16);
}

/** One JSON object in localStorage or sessionStorage, or only in memory where those are blocked. */
export class Slot<T extends object> {
  #memory: T = {} as T;
  #full = false;

  readonly #area: "localStorage" | "sessionStorage";
  readonly #key: string;

  constructor(area: "localStorage" | "sessionStorage", key: string) {
    this.#area = area;
    this.#key = key;
  }

  read(): T {
    if (this.#full) return this.#memory;
    try {
      const value: unknown = JSON.parse(globalThis[this.#area].getItem(this.#key) ?? "null");
      if (value && typeof value === "object") return value as T;
    } catch {
      // Blocked or not JSON: what this page load knows is still right.
    }
    return this.#memory;
  }

  /** Lays the changes over the stored object. */
  update(changes: Partial<T>): void {
    this.#memory = { ...this.read(), ...changes };
    try {
      globalThis[this.#area].setItem(this.#key, JSON.stringify(this.#memory));
    } catch {
      // Blocked or full: from here on memory has it, until the page is left.
      this.#full = true;
    }
  }
}
