import type { Clock } from './clock.js';
import { VerbatimError, disconnected, problem } from './errors.js';
import { codeOfBye, type Bye } from './policy.js';
import type { Frame, Welcome } from './types.js';

/** The part of the browser's WebSocket that is used; `ws` for Node has the same. */
export interface SocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}
export type SocketConstructor = new (url: string, protocols: string) => SocketLike;

export interface SessionOptions {
  url: string;
  socket: SocketConstructor;
  clock: Clock;
  ticket: string;
  since: string | null;
  onWelcome(welcome: Welcome): void;
  onFrame(frame: Frame): void;
  /** Once, whatever the cause; `error` when the `hello` itself was refused. */
  onClose(code: number, bye: Bye | null, error: VerbatimError | null): void;
}

/** From opening the socket to `welcome`. */
const WELCOME_TIMEOUT_MS = 15_000;
/** The server answers a send after 10 s at the latest; beyond this the connection is taken for dead. */
const ANSWER_TIMEOUT_MS = 20_000;
const BYE_TIMEOUT_MS = 2_000;
const MAX_PENDING = 1_000;

interface Pending {
  resolve(frame: Frame): void;
  reject(error: VerbatimError): void;
  timer: unknown;
}

/** One socket, from its opening to its close: the hello, and answers matched to requests by `ref`. */
export class Session {
  /** Local time of the last frame from the server. */
  lastHeard: number;
  #socket: SocketLike | null = null;
  #pending = new Map<string, Pending>();
  #refs = 0;
  #bye: Bye | null = null;
  #welcomed = false;
  #closed = false;
  #timer: unknown;

  constructor(private readonly options: SessionOptions) {
    const { clock } = options;
    this.lastHeard = clock.now();
    this.#timer = clock.setTimeout(() => this.close(4000, 'no welcome in time'), WELCOME_TIMEOUT_MS);
    try {
      const socket = new options.socket(options.url, 'verbatim.v1');
      this.#socket = socket;
      socket.onopen = () => this.#hello();
      socket.onmessage = (event: { data: unknown }) => this.#receive(event.data);
      socket.onclose = (event: { code?: number }) => this.#end(event.code ?? 1006, null);
      // A close always follows an error.
      socket.onerror = () => {};
    } catch {
      // Some runtimes throw where others report an error event; either way the caller hears it later.
      clock.setTimeout(() => this.#end(1006, null), 0);
    }
  }

  /** Sends a frame and resolves with its answer; rejects with the server's error, or `disconnected`. */
  request(frame: Omit<Frame, 'ref'> & { type: string }): Promise<Frame> {
    if (this.#closed || this.#pending.size >= MAX_PENDING) return Promise.reject(disconnected('the connection is not open'));
    const ref = (++this.#refs).toString(36);
    return new Promise((resolve, reject) => {
      const timer = this.options.clock.setTimeout(() => {
        this.#pending.delete(ref);
        reject(new VerbatimError({ code: 'no_answer', detail: 'the server did not answer in time', retry: 'same_id' }));
        this.close(4000, 'no answer in time');
      }, ANSWER_TIMEOUT_MS);
      this.#pending.set(ref, { resolve, reject, timer });
      this.#write({ ...frame, ref });
    });
  }

  /** Sends a frame that has no answer. */
  post(frame: { type: string } & Record<string, unknown>): void {
    if (!this.#closed) this.#write(frame);
  }

  /** Closes at once for the caller, without waiting for the other side's close, which a dead network never brings. */
  close(code = 1000, reason = ''): void {
    this.#shut(code, code, null, reason);
  }

  #hello(): void {
    const { ticket, since } = this.options;
    this.#write({ type: 'hello', ticket, ...(since === null ? {} : { since }), ref: 'hello' });
  }

  #write(frame: Record<string, unknown>): void {
    try {
      this.#socket?.send(JSON.stringify(frame));
    } catch {
      this.close(4000, 'the socket does not take frames');
    }
  }

  #receive(data: unknown): void {
    if (this.#closed || typeof data !== 'string') return;
    let frame: Frame;
    try {
      frame = JSON.parse(data) as Frame;
    } catch {
      return this.close(1007, 'not JSON');
    }
    if (typeof frame !== 'object' || frame === null || typeof frame.type !== 'string') return;
    this.lastHeard = this.options.clock.now();
    if (frame.type === 'welcome') {
      this.options.clock.clearTimeout(this.#timer);
      this.#welcomed = true;
      return this.options.onWelcome(frame as unknown as Welcome);
    }
    if (frame.type === 'bye') {
      this.#bye = frame as Bye;
      // The server closes next; should its close get lost, this side does.
      this.options.clock.clearTimeout(this.#timer);
      this.#timer = this.options.clock.setTimeout(() => this.#shut(1000, codeOfBye(this.#bye), null), BYE_TIMEOUT_MS);
      return;
    }
    if (frame.type === 'error' && !this.#welcomed) return this.#shut(1000, 1000, problem(frame));
    const pending = frame.ref === undefined ? undefined : this.#pending.get(frame.ref);
    if (pending && ANSWERS.has(frame.type)) {
      this.#pending.delete(frame.ref as string);
      this.options.clock.clearTimeout(pending.timer);
      if (frame.type === 'error') pending.reject(problem(frame));
      else pending.resolve(frame);
      return;
    }
    this.options.onFrame(frame);
  }

  #shut(wireCode: number, code: number, error: VerbatimError | null, reason = ''): void {
    if (this.#closed) return;
    const socket = this.#socket;
    this.#end(code, error);
    try {
      // Only 1000 and 3000 to 4999 may be given here, so what is told to the caller can differ from it.
      socket?.close(wireCode === 1000 || (wireCode >= 3000 && wireCode <= 4999) ? wireCode : 4000, reason);
    } catch {
      // Already closed, or never opened.
    }
  }

  #end(code: number, error: VerbatimError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    const { clock } = this.options;
    clock.clearTimeout(this.#timer);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { timer } of pending) clock.clearTimeout(timer);
    this.options.onClose(code, this.#bye, error);
    for (const { reject } of pending) reject(disconnected());
  }
}

const ANSWERS = new Set(['ack', 'error', 'entries']);
