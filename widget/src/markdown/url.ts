// The judge of every address that comes out of a model: the browser's own URL parser reads it,
// and only three schemes pass. No pattern of ours has to outwit an encoding.

const schemes = new Set(["http:", "https:", "mailto:"]);

/** The address if a link may lead there, else null. Relative addresses have no place in a chat. */
export function safeUrl(href: string): URL | null {
  try {
    const url = new URL(href);
    // A name and password in front of the host make one site look like another.
    return schemes.has(url.protocol) && !url.username && !url.password ? url : null;
  } catch {
    return null;
  }
}

/** Takes out the characters that change the direction of the text around them (Trojan Source). */
export function withoutOverrides(text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
}
