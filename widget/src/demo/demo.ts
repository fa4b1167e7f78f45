// The script of the demo page: fills the form from the address, writes the snippet, shows events.

export {};

const query = new URLSearchParams(location.search);
const form = document.querySelector("form")!;

for (const [name, value] of query) {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
}

document.querySelector("#origin code")!.textContent = location.origin;

const key = query.get("key") ?? "";
if (/^clw_pk_[\w-]+$/.test(key)) {
  const attributes = [`src="${location.origin}/widget/v1/clawless.js"`, `data-key="${key}"`];
  for (const name of ["color", "theme", "position"]) {
    const value = query.get(name);
    if (value && /^[#\w]+$/.test(value)) attributes.push(`data-${name}="${value}"`);
  }
  const snippet = `<script async ${attributes.join(" ")}></script>`;
  document.querySelector("#snippet")!.textContent = snippet;
  document.querySelector<HTMLElement>("#embed")!.hidden = false;
  const copy = document.querySelector<HTMLElement>("#copy")!;
  copy.onclick = async () => {
    await navigator.clipboard.writeText(snippet);
    copy.textContent = "Copied";
  };
}

// The queue: calls pushed here before the widget is loaded are carried out when it is.
type Queue = { push(call: unknown[]): void };
const page = window as unknown as { Clawless?: Queue };
const clawless = (): Queue => (page.Clawless ??= [] as unknown[] as Queue);

for (const button of document.querySelectorAll<HTMLElement>("[data-call]")) {
  button.onclick = () => clawless().push([button.dataset["call"], "What can you do?"]);
}

const log = document.querySelector("#events")!;
const lines: string[] = [];
for (const event of ["ready", "open", "close", "message", "error", "new"]) {
  clawless().push([
    "on",
    event,
    (detail: unknown) => {
      lines.push(event + (detail ? " " + JSON.stringify(detail).slice(0, 200) : ""));
      log.textContent = lines.slice(-8).join("\n");
    },
  ]);
}
