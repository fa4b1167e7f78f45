// The loader: the one file that a page names. It draws the launcher and fetches the app chunk
// when the visitor reaches for it.

import { brandDefault, css, parse, textOn } from "./color.js";
import loaderCss from "./loader.css";
import { type App, type Call, type EventName, type Shell, startSide } from "./shell.js";
import { type Visitor, storageKey } from "./storage.js";

type Listener = (detail: unknown) => void;

const script =
  (document.currentScript as HTMLScriptElement | null) ?? document.querySelector<HTMLScriptElement>("script[data-key]");
const page = window as unknown as { Clawless?: Call[] | object };
const before = page.Clawless;

if (!script?.dataset["key"]) console.warn("Clawless: no data-key");
else if (before && !Array.isArray(before)) console.warn("Clawless: loaded twice");
else if (document.body) begin(script, before);
else addEventListener("DOMContentLoaded", () => begin(script, before));

function begin(tag: HTMLScriptElement, waiting: Call[] = []): void {
  const data = tag.dataset;
  const server = (data["server"] || new URL(tag.src).origin).replace(/\/$/, "");
  const base = new URL(".", tag.src).href;
  const host = document.createElement("clawless-chat");
  const root = host.attachShadow({ mode: "open" });
  const launcher = draw(root, data);
  const listeners: Partial<Record<EventName, Set<Listener>>> = {};
  const shell: Shell = { host, root, launcher, data, server, emit };
  let app: App | undefined;
  let loading: Promise<App> | undefined;
  let destroyed = false;

  function emit(event: EventName, detail?: unknown): void {
    // Each in a task of its own: one that throws harms nobody else.
    for (const listener of listeners[event] ?? []) queueMicrotask(() => listener(detail));
  }

  // After an upgrade of the server a cached loader asks for a chunk that is gone: app.js is
  // always there, and the time makes the address one that has not failed before.
  function load(): Promise<App> {
    loading ??= import(base + APP_CHUNK)
      .catch(() => import(`${base}app.js?${Date.now()}`))
      .then((chunk: { start(shell: Shell): App }) => {
        app = chunk.start(shell);
        if (destroyed) app.destroy();
        return app;
      });
    loading.catch(() => (loading = undefined)); // The next call tries again.
    return loading;
  }

  async function call(method: "open" | "toggle" | "send", text = ""): Promise<void> {
    if (!app) launcher.setAttribute("aria-busy", "true");
    try {
      (await load())[method](text);
    } catch (error) {
      console.error(error);
      emit("error", { code: "load", message: String(error) });
    }
    launcher.removeAttribute("aria-busy");
  }

  const api = {
    open: () => void call("open"),
    close: () => app?.close(),
    toggle: () => void call("toggle"),
    send: (text: string) => void call("send", text),
    on(event: EventName, listener: Listener): () => void {
      const set = (listeners[event] ??= new Set());
      set.add(listener);
      return () => void set.delete(listener);
    },
    destroy(): void {
      destroyed = true;
      app?.destroy();
      host.remove();
      delete page.Clawless;
    },
    /** Calls made before the script ran were pushed on an array; the same call works after. */
    push([method, ...args]: Call): void {
      if (method in api) (api as Record<string, any>)[method](...args);
    },
  };

  launcher.onclick = api.toggle;
  launcher.onpointerenter = launcher.onfocus = () => void load().catch(() => undefined);
  document.body.append(host);
  page.Clawless = api;
  waiting.forEach(api.push);
}

/** The launcher, in the colour the page names, else the one of the last visit. */
function draw(root: ShadowRoot, data: DOMStringMap): HTMLButtonElement {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(loaderCss);
  root.adoptedStyleSheets = [sheet];
  const [brand, on] = colours(data);
  const button = document.createElement("button");
  button.className = "launcher";
  button.type = "button";
  button.hidden = data["launcher"] === "none";
  button.style.setProperty("--brand", brand);
  button.style.setProperty("--on", on);
  set(button, { "aria-label": data["openChat"] || "Open chat", "aria-haspopup": "dialog", "aria-expanded": "false" });
  const svg = shape("svg", { viewBox: "0 0 24 24" });
  svg.append(
    shape("path", { d: "M12 3C6.8 3 3 6.5 3 10.9c0 2.4 1.1 4.5 3 5.9V21l4-2.3 2 .1c5.2 0 9-3.5 9-7.9S17.2 3 12 3z" }),
    shape("path", { d: "M6 9.5l6 6 6-6" }),
  );
  button.append(svg);
  root.append(button);
  if (startSide(data["position"])) (root.host as HTMLElement).dataset["side"] = "start";
  return button;
}

function shape(tag: string, attributes: Record<string, string>): Element {
  return set(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);
}

function set(e: Element, attributes: Record<string, string>): Element {
  for (const name in attributes) e.setAttribute(name, attributes[name]!);
  return e;
}

function colours(data: DOMStringMap): [string, string] {
  let stored: Visitor | undefined;
  try {
    stored = JSON.parse(localStorage.getItem(storageKey(data["key"]!))!) as Visitor;
  } catch {
    // Storage is blocked, or not ours.
  }
  const brand = parse(data["color"]);
  return (!brand && stored?.colors) || [css(brand ?? brandDefault), css(textOn(brand ?? brandDefault))];
}
