// One brand colour in, the custom properties of the light and the dark look out. Every pair of
// text and ground made here has a contrast of at least 4.5.

import { type Rgb, css, mix, readable, textOn, white } from "./color.js";

export type Scheme = "auto" | "light" | "dark";

export interface Palette {
  bg: Rgb;
  /** Ground of code bars, table heads and hovered buttons. */
  soft: Rgb;
  /** Ground of code. */
  code: Rgb;
  fg: Rgb;
  /** Secondary text. */
  dim: Rgb;
  line: Rgb;
  brand: Rgb;
  /** Text on the brand colour. */
  on: Rgb;
  /** The brand colour as text. */
  link: Rgb;
  error: Rgb;
  /** Ground of the error row. */
  alarm: Rgb;
}

export function palette(brand: Rgb, dark: boolean): Palette {
  const bg: Rgb = dark ? [24, 25, 29] : white;
  const ink: Rgb = dark ? [236, 237, 241] : [24, 26, 32];
  const soft = mix(bg, ink, dark ? 0.075 : 0.045);
  const code = mix(bg, ink, dark ? 0.04 : 0.025);
  const shown = dark ? readable(brand, [bg], 1.6) : brand;
  const alarm = mix(bg, [220, 38, 38], dark ? 0.14 : 0.06);
  return {
    bg,
    soft,
    code,
    fg: ink,
    dim: readable(mix(bg, ink, 0.58), [bg, soft, code], 4.6),
    line: mix(bg, ink, dark ? 0.16 : 0.11),
    brand: shown,
    on: textOn(shown),
    link: readable(brand, [bg, soft], 4.6),
    error: readable([200, 30, 40], [bg, alarm], 4.6),
    alarm,
  };
}

function properties(p: Palette): string {
  return Object.entries(p)
    .map(([name, colour]) => `--${name}:${css(colour as Rgb)};`)
    .join("");
}

/** The style sheet of one brand colour. It is built from numbers alone. */
export function themeSheet(brand: Rgb, scheme: Scheme): string {
  const light = `:host{color-scheme:light;${properties(palette(brand, false))}}`;
  const dark = `:host{color-scheme:dark;${properties(palette(brand, true))}}`;
  if (scheme === "light") return light;
  if (scheme === "dark") return dark;
  return `${light}@media (prefers-color-scheme:dark){${dark}}`;
}
