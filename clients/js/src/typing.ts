import type { Clock } from './clock.js';

/** At most one frame in this time, however fast someone types. */
const EVERY_MS = 3_000;
/** Also after a message went out: servers drop what comes faster, and then the next key has to try again. */
const LEAST_MS = 1_100;
/** Somewhat longer than that, so that the sign does not flicker between two frames. */
const LASTS_MS = 5_000;
const MAX_SHOWN = 50;

export interface TypingOptions {
  clock: Clock;
  post(frame: { type: string } & Record<string, unknown>): void;
  onChange(conversationId: string): void;
}

/** Typing signs, both ways. They are ephemeral: never repeated, and they end by themselves. */
export class Typing {
  #sent = new Map<string, number>();
  #shown = new Map<string, Map<string, unknown>>();

  constructor(private readonly options: TypingOptions) {}

  /** Call it on each key; it sends what is needed. */
  typing(conversationId: string): void {
    const now = this.options.clock.now();
    if (now - (this.#sent.get(conversationId) ?? -Infinity) < EVERY_MS) return;
    if (this.#sent.size >= MAX_SHOWN) this.#sent.clear();
    this.#sent.set(conversationId, now);
    this.options.post({ type: 'typing', conversation_id: conversationId });
  }

  /** The message went out: the next key starts a new sign. */
  ended(conversationId: string): void {
    const sent = this.#sent.get(conversationId);
    if (sent !== undefined) this.#sent.set(conversationId, Math.min(sent, sent + LEAST_MS - EVERY_MS));
  }

  users(conversationId: string): string[] {
    return [...(this.#shown.get(conversationId)?.keys() ?? [])];
  }

  show(conversationId: string, userId: string): void {
    let users = this.#shown.get(conversationId);
    if (!users) {
      if (this.#shown.size >= MAX_SHOWN) return;
      this.#shown.set(conversationId, (users = new Map()));
    }
    const isNew = !users.has(userId);
    if (isNew && users.size >= MAX_SHOWN) return;
    this.options.clock.clearTimeout(users.get(userId));
    users.set(userId, this.options.clock.setTimeout(() => this.hide(conversationId, userId), LASTS_MS));
    if (isNew) this.options.onChange(conversationId);
  }

  /** Also when the message that was being typed arrives. */
  hide(conversationId: string, userId: string): void {
    const users = this.#shown.get(conversationId);
    if (!users?.has(userId)) return;
    this.options.clock.clearTimeout(users.get(userId));
    users.delete(userId);
    if (users.size === 0) this.#shown.delete(conversationId);
    this.options.onChange(conversationId);
  }

  offline(): void {
    for (const [conversationId, users] of [...this.#shown]) for (const user of [...users.keys()]) this.hide(conversationId, user);
  }
}
