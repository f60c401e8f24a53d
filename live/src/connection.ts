// The WebSocket to the server: it connects again by itself, and lets questions wait for their answers.

import type { Answer, Question, Refused, Request, Told } from "./messages";

/** Milliseconds between tries while the server is gone. */
const PAUSE = 1000;
/** Where the key is kept for other tabs, and for this one after a reload. */
const KEY = "cnndsl key";
/** The server's code for a key that is not its own. */
const REFUSED = 4401;

export interface Listener {
  /** Every message that answers no question. */
  told(message: Exclude<Told, Answer>): void;
  /** The connection is lost, for good if the server has `refused` the key. */
  gone(refused: boolean): void;
}

type Waiting = { resolve: (answer: Answer) => void; reject: (error: Error) => void };

export class Connection {
  private socket: WebSocket | null = null;
  private readonly waiting = new Map<number, Waiting>();
  private questions = 0;
  private letIn = false;
  private trying = 0;

  constructor(private readonly listener: Listener) {}

  /** Connects with a key of the address, or else with that of an earlier visit. */
  connect(key?: string): void {
    const known = key ?? localStorage.getItem(KEY) ?? "";
    const socket = new WebSocket(`ws://${location.host}/socket`, ["cnndsl", known].filter(Boolean));
    clearTimeout(this.trying);
    this.socket?.close();
    this.socket = socket;
    this.letIn = false;
    socket.addEventListener("message", ({ data }) => this.hear(JSON.parse(data as string) as Told));
    socket.addEventListener("close", ({ code }) => {
      if (socket === this.socket) this.lost(code, key !== undefined);
    });
  }

  /** Sends a message; while the server is gone it is not sent, since everything is sent anew when it is back. */
  send(message: Request): void {
    if (this.letIn) this.socket!.send(JSON.stringify(message));
  }

  /** The answer to a question. It fails if the server refuses it or is gone. */
  ask<A extends Answer>(question: Question): Promise<A> {
    if (!this.letIn) return Promise.reject(new Error("The server is gone."));
    const id = ++this.questions;
    return new Promise<A>((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (answer: Answer) => void, reject });
      this.send({ type: "ask", id, ...question });
    });
  }

  private hear(message: Told): void {
    if (message.type === "welcome") {
      localStorage.setItem(KEY, message.key);
      this.letIn = true;
    }
    const waiting = "id" in message ? this.waiting.get(message.id) : undefined;
    if (!waiting) return this.listener.told(message as Exclude<Told, Answer>);
    this.waiting.delete((message as Answer).id);
    if ((message as Told).type === "refused") waiting.reject(new Error(refusal(message as Told as Refused)));
    else waiting.resolve(message as Answer);
  }

  private lost(code: number, wasNew: boolean): void {
    this.letIn = false;
    for (const { reject } of this.waiting.values()) reject(new Error("The server is gone."));
    this.waiting.clear();
    // A key of an address may be valid once only: this page may have come back to it.
    if (code === REFUSED && wasNew) return this.connect();
    this.listener.gone(code === REFUSED);
    if (code !== REFUSED) this.trying = setTimeout(() => this.connect(), PAUSE);
  }
}

export const refusal = ({ message, help }: Refused): string => (help ? `${message} (${help})` : message);
