import { backoff, delay, type Clock } from './clock.js';
import { asVerbatimError, isTransient } from './errors.js';
import type { Frame } from './types.js';

/** The interface's bound for one socket. */
const MAX_VIEWS = 10;
const MAX_ATTEMPTS = 6;

export interface ViewsOptions {
  clock: Clock;
  request(frame: { type: string } & Record<string, unknown>): Promise<Frame>;
  onHead(conversationId: string, headRev: number, headSeq: number): void;
  onError(error: unknown): void;
}

/** The channels on the screen: only of these does the server send entries. Asked for anew in each session. */
export class Views {
  /** In the order of their opening. */
  #open = new Set<string>();
  #online = false;

  constructor(private readonly options: ViewsOptions) {}

  /** Beyond the bound the one opened first is given up. */
  view(conversationId: string): void {
    if (this.#open.has(conversationId)) return;
    const oldest = this.#open.values().next().value;
    if (this.#open.size >= MAX_VIEWS && oldest !== undefined) this.unview(oldest);
    this.#open.add(conversationId);
    if (this.#online) void this.#ask(conversationId);
  }

  unview(conversationId: string): void {
    if (!this.#open.delete(conversationId) || !this.#online) return;
    this.options.request({ type: 'unview', conversation_id: conversationId }).catch((error: unknown) => this.options.onError(error));
  }

  online(): void {
    this.#online = true;
    for (const id of this.#open) void this.#ask(id);
  }

  offline(): void {
    this.#online = false;
  }

  forget(conversationId: string): void {
    this.#open.delete(conversationId);
  }

  async #ask(conversationId: string): Promise<void> {
    for (let attempt = 0; this.#online && this.#open.has(conversationId); attempt++) {
      try {
        const ack = await this.options.request({ type: 'view', conversation_id: conversationId });
        // What came between the last known head and this answer is a gap like any other.
        return this.options.onHead(conversationId, Number(ack['head_rev']) || 0, Number(ack['head_seq']) || 0);
      } catch (thrown) {
        const error = asVerbatimError(thrown);
        // The next session asks anew.
        if (error.code === 'disconnected' || error.code === 'no_answer') return;
        if (!isTransient(error) || attempt + 1 >= MAX_ATTEMPTS) return this.options.onError(error);
        await delay(this.options.clock, Math.max(error.retryAfterMs ?? 0, backoff(this.options.clock, attempt, 500, 10_000)));
      }
    }
  }
}
