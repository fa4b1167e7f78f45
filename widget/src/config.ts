// The settings of one embed: the page's attributes over the tenant's settings over the defaults.

import type { WidgetConfig } from "./api.js";
import { type Rgb, brandDefault, parse } from "./color.js";
import { type Strings, strings } from "./locale/index.js";
import { startSide } from "./shell.js";
import type { Scheme } from "./theme.js";

export interface Config {
  strings: Strings;
  brand: Rgb;
  scheme: Scheme;
  /** On which side the launcher stands: where lines end, or where they start. */
  side: "end" | "start";
}

/** Reads the data-* attributes and what the server said, which may be nothing yet. */
export function configure(data: DOMStringMap, remote: WidgetConfig | null | undefined): Config {
  const scheme = data["theme"] ?? remote?.theme;
  const position = data["position"] ?? remote?.position ?? "";
  return {
    strings: strings(remote?.strings, remote, overrides(data["strings"]), data),
    brand: parse(data["color"]) ?? parse(remote?.color) ?? brandDefault,
    scheme: scheme === "light" || scheme === "dark" ? scheme : "auto",
    side: startSide(position) ? "start" : "end",
  };
}

function overrides(text = "null"): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    console.warn("Clawless: data-strings", error);
    return null;
  }
}
