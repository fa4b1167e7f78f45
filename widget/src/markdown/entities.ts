// Character references. A browser knows all 2,231 names only inside HTML, which is never made
// here; these are the ones that models write. An unknown name stays as it was written.

const names = new Map(
  "amp&lt<gt>quot\"apos'nbsp\u00a0copy©reg®trade™hellip…mdash—ndash–lsquo‘rsquo’ldquo“rdquo”bull•middot·times×deg°euro€larr←rarr→rArr⇒le≤ge≥ne≠"
    .match(/[a-z]+[^a-z]/gi)!
    .map((pair) => [pair.slice(0, -1), pair.slice(-1)]),
);

/** The text with its character references replaced. */
export function decode(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,31}));/g, (whole, dec, hex, name) => {
    if (name) return names.get(name) ?? whole;
    const n = dec ? parseInt(dec, 10) : parseInt(hex, 16);
    return n === 0 || n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff) ? "\ufffd" : String.fromCodePoint(n);
  });
}
