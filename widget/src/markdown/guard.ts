// Finds text that would make a markdown parser work for seconds: nesting no person writes, and
// thousands of delimiters in one paragraph. The verdict depends on the text alone, never on how
// it was cut into pieces, so that a streamed answer looks the same as a stored one.

const maxText = 500_000;
const maxParagraph = 60_000;
const maxDelimiters = 3_000;
const lineHead = 4_000;

const nested = /^(?: *(?:>|[-*+] |\d{1,9}[.)] )){33}/;
const indented = /^ {100,}(?:[-*+]|\d{1,9}[.)])(?: |$)/;
const fenceOpen = /^[ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)*(`{3,}(?=[^`]*$)|~{3,})/;

export class Guard {
  /** Once true, the whole text is to be shown as it is. */
  hostile = false;
  #total = 0;
  #line = "";
  #paragraph = 0;
  #delimiters = 0;
  #fence: RegExp | null = null;

  /** Takes the next piece, whose line ends are "\n". */
  feed(piece: string): void {
    if (this.hostile) return;
    this.#total += piece.length;
    let from = 0;
    for (let at; (at = piece.indexOf("\n", from)) >= 0; from = at + 1) {
      this.#part(piece.slice(from, at));
      this.#endLine();
    }
    this.#part(piece.slice(from));
    if (this.#total > maxText) this.hostile = true;
  }

  #part(text: string): void {
    if (!text) return;
    this.#paragraph += text.length;
    if (this.#line.length < lineHead) this.#line += text.slice(0, lineHead);
    if (this.#fence) return;
    this.#delimiters += text.match(/[*_~[`<]/g)?.length ?? 0;
    if (
      this.#paragraph > maxParagraph ||
      this.#delimiters > maxDelimiters ||
      nested.test(this.#line) ||
      indented.test(this.#line)
    ) {
      this.hostile = true;
    }
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = "";
    this.#paragraph++;
    if (this.#fence) {
      if (this.#fence.test(line)) this.#fence = null;
    } else {
      const mark = fenceOpen.exec(line)?.[1];
      if (mark) this.#fence = new RegExp(`^[ >]*${mark[0]}{${mark.length},} *$`);
    }
    if (this.#fence || !line.trim()) this.#paragraph = this.#delimiters = 0;
  }
}
