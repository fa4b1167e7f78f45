// The state of one visitor's conversation: what was said, what waits to be sent, and the turn
// that is running. It knows neither the DOM nor the timers of a page; a Sink shows what happens.

import { Answer, AnswerFailure, type Note } from "./answer.js";
import { type SessionMessage, type ToolEvent, type WidgetSession, textOf } from "./api.js";
import type { Client } from "./client.js";
import { Failure, networkFailure } from "./failure.js";
import type { Environment, Message, Queued, Sink, State } from "./message.js";
import type { Slot, TabState, Visitor } from "./storage.js";

interface Turn {
  abort: AbortController;
  answer: Message;
  stopping: boolean;
}

/** How long a stopped answer is given to end by itself. */
const stopGraceMs = 3000;

export class Conversation {
  messages: Message[] = [];
  /** Questions the server has not taken yet. */
  #queue: Message[] = [];
  #session: string | null = null;
  #turn: Turn | null = null;
  #ready = false;
  readonly #client: Client;
  readonly #visitor: Slot<Visitor>;
  readonly #tab: Slot<TabState>;
  readonly #sink: Sink;
  readonly #env: Environment;

  constructor(client: Client, visitor: Slot<Visitor>, tab: Slot<TabState>, sink: Sink, env: Environment) {
    this.#client = client;
    this.#visitor = visitor;
    this.#tab = tab;
    this.#sink = sink;
    this.#env = env;
  }

  /** Gets a token and restores what was said. It may be called again after a failure. */
  async start(): Promise<WidgetSession> {
    const opened = await this.#client.connect();
    const remembered = this.#visitor.read().session_id;
    this.#session = remembered === undefined ? opened.session_id : remembered;
    const history = this.#session ? await this.#history(this.#session) : [];
    if (this.#ready) return opened;
    this.#ready = true;
    await this.#restore(history);
    void this.#pump();
    return opened;
  }

  async #history(session: string): Promise<SessionMessage[]> {
    try {
      return await this.#client.messages(session);
    } catch (cause) {
      if (!(cause instanceof Failure) || cause.status !== 404) throw cause;
      this.#remember(null);
      return [];
    }
  }

  async #restore(history: SessionMessage[]): Promise<void> {
    const { queue = [], run: saved } = this.#tab.read();
    const run = saved && saved.session === this.#session ? saved.id : "";
    const status = run ? await this.#client.run(run).catch(() => null) : null;
    const live = status?.status === "running";
    const mine = this.#queue; // written while the history was on its way
    mine.forEach((m) => this.#remove(m));
    for (const m of history) {
      const text = textOf(m.content);
      if ((m.role !== "user" && m.role !== "assistant") || !text) continue;
      if (live && m.role === "assistant" && m.run_id === run) continue;
      const before = this.messages.at(-1);
      // A turn that used tools is one answer here, however many messages the server kept of it.
      if (before && m.role === "assistant" && before.role === m.role && m.run_id && before.run === m.run_id) {
        before.text += "\n\n" + text;
        this.#set(before, "done");
      } else this.#add({ role: m.role, text, state: "done", id: m.id, run: m.run_id ?? "" });
    }
    const last = this.messages.at(-1);
    const asked = last?.role === "user" ? last : undefined;
    if (run && asked) this.#restoreRun(run, asked, live, status?.error?.code ?? "run_interrupted");
    else this.#tab.update({ run: undefined });
    this.#queue = [];
    for (const q of queue.filter((q) => !mine.some((m) => m.key === q.key))) {
      // What reached the server before the reload has its bubble already.
      if ((q.sent || q.again) && asked?.text === q.text) this.#queue.push(Object.assign(asked, q));
      else this.#queue.push(this.#add({ ...q, role: "user", state: "queued" }));
    }
    this.#queue.push(...mine);
    mine.forEach((m) => this.#add(m));
  }

  /** The answer of a run that was being shown when the page was left. */
  #restoreRun(run: string, question: Message, live: boolean, code: string | null): void {
    const answer = this.#add({ role: "assistant", text: "", state: "waiting", question, run });
    if (live) void this.#resume(answer);
    else this.#finish(answer, "failed", new AnswerFailure(code, "the run ended without an answer"));
  }

  /** Says something. It is sent after everything that still waits, once there is a connection. */
  send(text: string): void {
    const question: Message = { role: "user", text, state: "queued", key: this.#env.newId() };
    this.#queue.push(question);
    this.#add(question);
    this.#saveQueue();
    void this.#pump();
  }

  /** To be called when the device is online again. */
  wake(): void {
    void this.#pump();
  }

  async #pump(): Promise<void> {
    while (this.#ready && !this.#turn && this.#env.online()) {
      const question = this.#queue[0];
      if (!question || !(await this.#ask(question))) return;
    }
  }

  /** One turn; false when the queue has to wait for the visitor or for the network. */
  #ask(question: Message): Promise<boolean> {
    const answer = this.#add({ role: "assistant", text: "", state: "waiting", question });
    for (const later of this.#queue.slice(1)) this.#toEnd(later);
    this.#set(question, "sending");
    return this.#run(answer, async (turn, reader) => {
      const res = await this.#begin(question, turn.abort.signal);
      const session = this.#session!;
      answer.run = res.headers.get("Clawless-Run-Id") ?? "";
      this.#drop(question);
      if (answer.run) this.#tab.update({ run: { id: answer.run, session } });
      this.#set(question, "done");
      if (turn.stopping) this.#cancel(turn);
      return reader.follow(answer.run, session, res);
    });
  }

  /** Reads a run from its start. */
  #resume(answer: Message): Promise<boolean> {
    answer.text = "";
    answer.tools = [];
    this.#set(answer, "waiting");
    return this.#run(answer, (_, reader) => reader.follow(answer.run!, this.#session!));
  }

  /** Holds the turn while work reads the answer, and gives the answer its final state. */
  async #run(answer: Message, work: (turn: Turn, reader: Answer) => Promise<Note | undefined>): Promise<boolean> {
    const turn: Turn = { abort: new AbortController(), answer, stopping: false };
    this.#turn = turn;
    this.#sink.busy(true);
    const reader = new Answer(this.#client, this.#listener(answer), this.#env, turn.abort.signal);
    let state: State = "done";
    let failure: Failure | undefined;
    try {
      answer.note = await work(turn, reader);
      if (turn.stopping) state = "stopped";
    } catch (cause) {
      failure = cause instanceof Failure ? cause : networkFailure(cause);
      state = turn.stopping || failure.code === "run_cancelled" ? "stopped" : "failed";
    }
    if (this.#turn !== turn) return false; // The conversation was reset meanwhile.
    this.#turn = null;
    this.#sink.lost(false);
    if (state === "failed" && failure!.isNetwork && !answer.run && !this.#env.online()) {
      // The device went offline before the server took the message: it waits in the queue.
      this.#remove(answer);
      this.#set(answer.question!, "queued");
      state = "queued";
    } else {
      this.#finish(answer, state, failure);
    }
    this.#sink.busy(false);
    return state === "done" || state === "stopped";
  }

  #listener(answer: Message) {
    let apart = ""; // what sets the text after a tool's work off from the text before it
    return {
      tool: (event: ToolEvent) => {
        const tools = (answer.tools ??= []);
        const at = tools.findIndex((t) => t.id === event.id);
        tools.splice(at < 0 ? tools.length : at, 1, event);
        if (answer.text) apart = "\n\n";
        this.#sink.changed(answer);
      },
      delta: (text: string) => {
        text = apart + text;
        apart = "";
        answer.text += text;
        if (answer.state !== "streaming") this.#set(answer, "streaming");
        else this.#sink.text(answer, text);
      },
      replace: (text: string) => {
        answer.text = text;
        this.#set(answer, "streaming");
      },
      lost: (lost: boolean) => this.#sink.lost(lost),
    };
  }

  /** Opens the stream of a turn, with a conversation made on the first message. */
  async #begin(question: Message, signal: AbortSignal): Promise<Response> {
    for (let tries = 0, waits = 0; ; ) {
      try {
        if (!this.#session) this.#remember(await this.#client.createSession("s-" + question.key, signal));
        question.sent = true;
        this.#saveQueue();
        if (question.again) question.id ||= await this.#asked(question.again, signal);
        const { again, id, text } = question;
        return await this.#client.startTurn(this.#session!, again && id ? { regenerate: id } : { text }, question.key!, signal);
      } catch (cause) {
        signal.throwIfAborted();
        if (!(cause instanceof Failure)) throw cause;
        if (cause.isBusy && waits < 12) {
          await this.#env.wait(Math.max(cause.retryAfter, 250 * 1.5 ** waits++), signal);
          continue;
        }
        if (tries++ > 0 || !this.#mend(cause, question)) throw cause;
        await this.#env.wait(400, signal);
      }
    }
  }

  /** The id of the message that a run answers. */
  async #asked(run: string, signal: AbortSignal): Promise<string | undefined> {
    const all = await this.#client.messages(this.#session!, signal);
    return all.filter((m) => m.role === "user" && m.run_id === run).pop()?.id;
  }

  /** True when one more try can help at once. */
  #mend(cause: Failure, question: Message): boolean {
    if (cause.code === "not_found" && this.#session) {
      this.#remember(null); // The conversation is gone: go on in a new one.
      question.key = this.#env.newId();
      question.again = question.id = undefined;
      return true;
    }
    return cause.isTransient && cause.status !== 429 && !cause.retryAfter;
  }

  #finish(answer: Message, state: State, failure?: Failure): void {
    const question = answer.question!;
    this.#drop(question);
    this.#set(question, "done");
    // A run that could not be read to its end may be read after a reload.
    if (!failure?.isNetwork || state !== "failed") this.#tab.update({ run: undefined });
    answer.failure = failure;
    this.#set(answer, state);
  }

  /** Tries a failed answer again: reads on if its run may still be there, has the question answered again if there was a run, else asks anew. */
  retry(answer: Message): void {
    const { failure, question } = answer;
    if (!failure || !question || this.#turn) return;
    answer.failure = undefined;
    if (answer.run && failure.isNetwork) {
      void this.#resume(answer).then((on) => void (on && this.#pump()));
      return;
    }
    // What our server refused is asked anew; a request whose outcome is unknown keeps its key.
    if (answer.run || !(failure.isNetwork || failure.code.startsWith("http_"))) question.key = this.#env.newId();
    question.again ||= answer.run;
    this.#remove(answer);
    if (this.messages.at(-1) !== question) this.#toEnd(question);
    this.#queue.unshift(question);
    this.#saveQueue();
    void this.#pump();
  }

  /** Says whether the call of a tool may be made; the stream tells what becomes of it. */
  approve(answer: Message, tool: ToolEvent, allow: boolean): Promise<void> {
    return this.#client.approve(answer.run!, tool.approval_id!, allow);
  }

  /** Stops the running answer, on the server too; what was said so far stays. */
  stop(): void {
    const turn = this.#turn;
    if (!turn || turn.stopping) return;
    turn.stopping = true;
    if (turn.answer.run) this.#cancel(turn);
    void this.#env.wait(stopGraceMs, turn.abort.signal).then(
      () => turn.abort.abort(),
      () => undefined,
    );
  }

  #cancel(turn: Turn): void {
    this.#client.cancel(turn.answer.run!).catch(() => turn.abort.abort());
  }

  /** Begins a new conversation; the old one stays on the server, its running answer is stopped. */
  reset(): void {
    const turn = this.#turn;
    if (turn?.answer.run) this.#cancel(turn);
    this.destroy();
    this.#ready = true;
    while (this.messages[0]) this.#remove(this.messages[0]);
    this.#queue = [];
    this.#remember(null);
    this.#tab.update({ queue: [], run: undefined });
    this.#sink.lost(false);
    this.#sink.busy(false);
  }

  /** Ends all work here; a run goes on at the server and can be restored. */
  destroy(): void {
    const turn = this.#turn;
    this.#turn = null;
    this.#ready = false;
    turn?.abort.abort();
  }

  #remember(session: string | null): void {
    this.#session = session;
    this.#visitor.update({ session_id: session });
  }

  #drop(question: Message): void {
    this.#queue = this.#queue.filter((q) => q !== question);
    this.#saveQueue();
  }

  #saveQueue(): void {
    this.#tab.update({ queue: this.#queue.map(({ text, key, sent, again }) => ({ text, key, sent, again }) as Queued) });
  }

  #add(m: Message): Message {
    this.messages.push(m);
    this.#sink.added(m);
    return m;
  }

  #remove(m: Message): void {
    this.messages = this.messages.filter((x) => x !== m);
    this.#sink.removed(m);
  }

  #toEnd(m: Message): void {
    this.#remove(m);
    this.#add(m);
  }

  #set(m: Message, state: State): void {
    m.state = state;
    this.#sink.changed(m);
  }
}
