// One brand colour in, the custom properties of the light and the dark look out. Every pair of
// text and ground made here has a contrast of at least 4.5.

import { type Rgb, css, parse, readable, textOn } from "./color.js";

export type Scheme = "auto" | "light" | "dark";

/** The colours that no brand changes; soft, code and alarm are grounds, dim is secondary text. */
const fixed = {
  light: { bg: "#fff", soft: "#f5f5f5", code: "#f9f9f9", fg: "#181a20", dim: "#6b6c70", line: "#e6e6e7", error: "#c21d27", alarm: "#fdf2f2" },
  dark: { bg: "#18191d", soft: "#28292d", code: "#202126", fg: "#ecedf1", dim: "#95969a", line: "#3a3b3f", error: "#ef8287", alarm: "#331a1e" },
};

/** All colours of a look as CSS: on is text on the brand colour, link is the brand colour as text. */
export function palette(brand: Rgb, look: keyof typeof fixed): Record<string, string> {
  const ground = parse(fixed[look].soft)!;
  const shown = readable(brand, ground, look === "dark" ? 1.5 : 1);
  return { ...fixed[look], brand: css(shown), on: css(textOn(shown)), link: css(readable(brand, ground, 4.5)) };
}

function rules(brand: Rgb, look: keyof typeof fixed): string {
  const properties = Object.entries(palette(brand, look)).map(([name, colour]) => `;--${name}:${colour}`);
  return `:host{color-scheme:${look}${properties.join("")}}`;
}

/** The style sheet of one brand colour. No text of the page or the server is in it. */
export function themeSheet(brand: Rgb, scheme: Scheme): string {
  return scheme === "auto"
    ? `${rules(brand, "light")}@media (prefers-color-scheme:dark){${rules(brand, "dark")}}`
    : rules(brand, scheme);
}
