// Colours as [red, green, blue] of 0 to 255, and WCAG 2.2 contrast between them.

export type Rgb = readonly [number, number, number];

export const white: Rgb = [255, 255, 255];
export const black: Rgb = [0, 0, 0];

/** Used when a page names no colour, or one that cannot be read. */
export const brandDefault: Rgb = [67, 56, 202];

/** Reads #rgb and #rrggbb; anything else is null. */
export function parse(text: string | undefined | null): Rgb | null {
  if (!text || !/^#([0-9a-f]{3}){1,2}$/i.test(text)) return null;
  const hex = text.length < 5 ? text.replace(/\w/g, "$&$&") : text;
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)) as unknown as Rgb;
}

export function css(c: Rgb): string {
  return `rgb(${c})`;
}

function luminance(c: Rgb): number {
  const part = (v: number, weight: number) => weight * (v > 10 ? ((v / 255 + 0.055) / 1.055) ** 2.4 : v / 3294.6);
  return part(c[0], 0.2126) + part(c[1], 0.7152) + part(c[2], 0.0722);
}

/** Contrast ratio of two colours, 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const x = luminance(a);
  const y = luminance(b);
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** White where it has a contrast of 4.5 on c, which it has up to this luminance; else black, which then has more. */
export function textOn(c: Rgb): Rgb {
  return luminance(c) <= 0.1833 ? white : black;
}

/** The colour nearest to c, on the way to black or white, that has the ratio on the ground. */
export function readable(c: Rgb, ground: Rgb, ratio: number): Rgb {
  const end = textOn(ground);
  let tried = c;
  for (let share = 0; contrast(tried, ground) < ratio && share < 1; share += 0.02) {
    tried = c.map((v, i) => Math.round(v + (end[i]! - v) * share)) as unknown as Rgb;
  }
  return tried;
}
