// The app chunk: loaded by the loader on the first open, it wires the conversation to the panel.

import type { WidgetSession } from "./api.js";
import answerCss from "./answer.css";
import appCss from "./app.css";
import { Client } from "./client.js";
import { css, textOn } from "./color.js";
import { type Config, configure } from "./config.js";
import { Conversation } from "./conversation.js";
import { Failure, causeOf, networkFailure } from "./failure.js";
import type { Environment, Message, Sink } from "./message.js";
import type { App, Shell } from "./shell.js";
import { Slot, type TabState, type Visitor, storageKey } from "./storage.js";
import { themeSheet } from "./theme.js";
import toolsCss from "./tools.css";
import { errorRow } from "./view/messages.js";
import { Panel } from "./view/panel.js";

/** Called by the loader, once. */
export function start(shell: Shell): App {
  return new Widget(shell);
}

class Widget implements App {
  #config: Config;
  readonly #panel: Panel;
  readonly #conversation: Conversation;
  readonly #theme = new CSSStyleSheet();
  readonly #visitor: Slot<Visitor>;
  readonly #gone = new AbortController();
  #started: "no" | "running" | "yes" = "no";
  #lost = false;
  #returnTo: HTMLElement | null = null;

  readonly #shell: Shell;

  constructor(shell: Shell) {
    this.#shell = shell;
    const { data, root, server } = shell;
    this.#config = configure(data, null);
    const key = data["key"] ?? "";
    this.#visitor = new Slot("localStorage", storageKey(key));
    const client = new Client(server, key, this.#visitor);
    const tab = new Slot<TabState>("sessionStorage", storageKey(key));
    this.#conversation = new Conversation(client, this.#visitor, tab, this.#sink(), environment);
    this.#panel = new Panel(this.#config, {
      send: (text) => this.send(text),
      stop: () => this.#conversation.stop(),
      retry: (m) => this.#conversation.retry(m),
      approve: (m, tool, allow) => this.#conversation.approve(m, tool, allow),
      asked: (text, prompt) => this.#asked(text, prompt),
      fresh: () => this.#fresh(),
      close: () => this.close(),
    });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(answerCss + appCss + toolsCss);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet, this.#theme];
    this.#dress();
    root.append(this.#panel.element);
    const signal = this.#gone.signal;
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#networkChanged(), { signal });
    this.#networkChanged();
  }

  #dress(): void {
    this.#theme.replaceSync(themeSheet(this.#config.brand, this.#config.scheme));
    this.#shell.launcher.removeAttribute("style"); // the loader's guess at the colours
    this.#shell.host.dataset["side"] = this.#config.side;
  }

  open(): void {
    if (this.#panel.isOpen) return;
    const active = document.activeElement;
    this.#returnTo = active instanceof HTMLElement && active !== document.body && active !== this.#shell.host ? active : this.#shell.launcher;
    this.#panel.open();
    this.#shown(true);
    void this.#connect();
    this.#shell.emit("open");
  }

  close(): void {
    if (!this.#panel.isOpen) return;
    this.#panel.close();
    this.#shown(false);
    this.#returnTo?.focus();
    this.#shell.emit("close");
  }

  #shown(open: boolean): void {
    const { launcher, host } = this.#shell;
    const s = this.#config.strings;
    host.toggleAttribute("data-open", open);
    launcher.setAttribute("aria-expanded", String(open));
    launcher.setAttribute("aria-label", open ? s.closeChat : s.openChat);
  }

  toggle(): void {
    if (this.#panel.isOpen) this.close();
    else this.open();
  }

  send(text: string): void {
    const said = String(text).trim();
    if (!said) return;
    this.#conversation.send(said);
    this.#shell.emit("message", { role: "user", text: said });
    void this.#connect();
  }

  #fresh(): void {
    this.#conversation.reset();
    this.#panel.composer.field.focus();
    this.#shell.emit("new");
  }

  /** Gets a token and the history, once; a failure shows a row that offers to try again. */
  async #connect(): Promise<void> {
    if (this.#started !== "no") return;
    this.#started = "running";
    this.#panel.messages.notice(null);
    try {
      this.#learn(await this.#conversation.start());
      this.#started = "yes";
      this.#shell.emit("ready");
    } catch (cause) {
      this.#started = "no";
      if (!this.#gone.signal.aborted && environment.online()) this.#refused(cause instanceof Failure ? cause : networkFailure(cause));
    }
  }

  #refused(f: Failure): void {
    const s = this.#config.strings;
    const text = s[causeOf(f)];
    this.#panel.messages.notice(errorRow(s, text, f.retryAfter, f.status >= 500 ? f.requestId : "", () => void this.#connect()));
    this.#panel.announcer.say(text);
    this.#fail(f);
  }

  #fail(f: Failure): void {
    this.#shell.emit("error", { code: f.code, status: f.status, message: f.message, request_id: f.requestId });
  }

  /** Takes over what the tenant set, and remembers the colour for the next visit's launcher. */
  #learn(session: WidgetSession): void {
    this.#config = configure(this.#shell.data, session.config);
    const { brand } = this.#config;
    this.#visitor.update({ colors: [css(brand), css(textOn(brand))] });
    this.#dress();
    this.#panel.rename(this.#config);
  }

  #networkChanged(): void {
    this.#notice();
    if (!environment.online()) return;
    this.#conversation.wake();
    if (this.#panel.isOpen) void this.#connect();
  }

  #notice(): void {
    const s = this.#config.strings;
    this.#panel.setNotice(!environment.online() ? s.offline : this.#lost ? s.reconnecting : "");
  }

  #sink(): Sink {
    const messages = () => this.#panel.messages;
    return {
      added: (m) => messages().add(m),
      removed: (m) => messages().remove(m),
      text: (m, delta) => messages().text(m, delta),
      changed: (m) => this.#changed(m),
      busy: (busy) => this.#panel.composer.setBusy(busy),
      lost: (lost) => {
        this.#lost = lost;
        this.#notice();
      },
    };
  }

  /** A question of the server: it is read out, and has the focus unless the visitor is writing; none has been answered. */
  #asked(text: string, prompt?: HTMLElement): void {
    const { field } = this.#panel.composer;
    if (text) this.#panel.announcer.say(text);
    if (!prompt) field.focus();
    else {
      this.#panel.messages.shown(); // its buttons are at its end
      if (this.#panel.isOpen && !field.value) prompt.focus({ preventScroll: true });
    }
  }

  #changed(m: Message): void {
    this.#panel.messages.change(m);
    if (m.role !== "assistant" || !["done", "stopped", "failed"].includes(m.state)) return;
    this.#panel.announcer.say(this.#panel.messages.spoken(m));
    if (m.state === "failed") this.#fail(m.failure!);
    else this.#shell.emit("message", { role: m.role, text: m.text });
  }

  destroy(): void {
    this.#gone.abort();
    this.#conversation.destroy();
    this.#panel.destroy();
    this.#panel.element.remove();
  }
}

/** The browser's clock, network state and random numbers. */
const environment: Environment = {
  online: () => navigator.onLine,
  newId: () => crypto.getRandomValues(new Uint32Array(4)).join("-"),
  wait: (ms, signal) => unlessAborted(signal, (done) => void setTimeout(done, ms)),
  whenOnline: (signal) =>
    unlessAborted(signal, (done) => {
      if (navigator.onLine) done();
      else addEventListener("online", done, { once: true, signal });
    }),
};

/** Resolves when begin's callback is called, or rejects when aborted before. */
function unlessAborted(signal: AbortSignal, begin: (done: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", reject, { once: true });
    begin(resolve);
  });
}
