import { type Strings, en } from "./en.js";

export type { Strings } from "./en.js";

/** The English texts with the known, textual fields of the overrides laid over them, in order. */
export function strings(...overrides: unknown[]): Strings {
  const out = { ...en };
  for (const o of overrides) {
    for (const name of Object.keys(en) as (keyof Strings)[]) {
      const text = (o as Record<string, unknown> | null)?.[name];
      if (typeof text === "string" && text) out[name] = text;
    }
  }
  return out;
}

/** Puts the value in the place of {name}. */
export function fill(text: string, value: string | number): string {
  return text.replace(/\{\w+\}/, () => String(value));
}
