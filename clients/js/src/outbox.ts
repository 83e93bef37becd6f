import { backoff, type Clock } from './clock.js';
import { VerbatimError, asVerbatimError, isTransient } from './errors.js';
import type { Ids } from './ids.js';
import { OutboxStore, type OutboxItem } from './outbox-store.js';
import type { Message } from './types.js';

/** What a ruling tells of a message; a whole message where it is known. */
export interface Sent {
  id: string;
  conversation_id: string;
  seq: number;
  rev: number;
  created_at: string;
}

export interface OutboxOptions {
  clock: Clock;
  ids: Ids;
  store: OutboxStore;
  /** Over the socket; rejects with a VerbatimError. */
  send(item: OutboxItem): Promise<Sent>;
  /** Over REST, whose `stale_id` always carries `message`. */
  post(item: OutboxItem): Promise<Sent>;
  onSent(item: OutboxItem, sent: Sent): void;
  /** The server says that ids lie in the future: its time has to be learnt again, by a new connection. */
  onWrongTime(): void;
  onChange(conversationId: string): void;
}

/** Conversations that are sent to at the same time. */
const MAX_LANES_IN_FLIGHT = 8;
/** Resends under a new id, before a message counts as failed. */
const MAX_RENAMES = 3;
/** For so long after a welcome the time that it told is taken to hold. */
const FRESH_MS = 30_000;

interface Lane {
  inFlight: OutboxItem | null;
  attempt: number;
  timer: unknown;
}

/**
 * Sends each message until it is ruled, with the same id, whatever happens to the connection. One message of
 * a conversation is under way at a time: so no send is ever issued ahead of an earlier one that is not ruled.
 */
export class Outbox {
  #lanes = new Map<string, Lane>();
  #waiters = new Map<string, { resolve(sent: Sent): void; reject(error: VerbatimError): void }>();
  /** Items that get another id once the time is known. */
  #ahead = new Set<string>();
  #online = false;
  #onlineAt = 0;
  #pausedUntil = 0;

  constructor(private readonly options: OutboxOptions) {}

  /** Puts a message in; the promise resolves when it is ruled and rejects when it failed for good. */
  add(conversationId: string, text: string, metadata?: Record<string, unknown>): { item: OutboxItem; done: Promise<Sent> } {
    const item = this.options.store.add(this.options.ids.next(), conversationId, text, metadata);
    const done = new Promise<Sent>((resolve, reject) => this.#waiters.set(item.key, { resolve, reject }));
    // Whoever watches the items does not have to watch the promise as well.
    done.catch(() => {});
    this.options.onChange(conversationId);
    this.#pump(conversationId);
    return { item, done };
  }

  online(): void {
    this.#online = true;
    this.#onlineAt = this.options.clock.now();
    this.#pumpAll();
  }

  offline(): void {
    this.#online = false;
    for (const lane of this.#lanes.values()) {
      this.options.clock.clearTimeout(lane.timer);
      lane.timer = undefined;
    }
  }

  /** The sender's own entry came: the message is ruled, with or without its ack. */
  ruled(message: Message): void {
    const item = this.options.store.byId(message.id);
    if (item && item.conversation_id === message.conversation_id) this.#settle(item, message);
  }

  /** Sends a failed message again. Its id is spent (a repeat would get the same answer), so under a new one. */
  retry(key: string): void {
    const item = this.options.store.get(key);
    if (item?.state !== 'failed') return;
    // Another window retried or discarded it already.
    const stored = this.options.store.storedId(item);
    if (stored !== null) {
      this.options.store.remove(item, stored !== 'gone');
      return this.options.onChange(item.conversation_id);
    }
    this.options.store.update(item, { id: this.options.ids.next(), state: 'queued', error: null, renames: 0 });
    this.options.onChange(item.conversation_id);
    this.#pump(item.conversation_id);
  }

  /** Gives a failed message up. What is not ruled can't be taken back: it may have arrived. */
  discard(key: string): void {
    const item = this.options.store.get(key);
    if (item?.state !== 'failed') return;
    this.options.store.remove(item);
    this.options.onChange(item.conversation_id);
  }

  #pumpAll(): void {
    for (const id of this.options.store.conversations()) this.#pump(id);
  }

  #pump(conversationId: string): void {
    if (!this.#online) return;
    const lane = this.#lane(conversationId);
    if (lane.inFlight || lane.timer !== undefined) return;
    const now = this.options.clock.now();
    if (this.#pausedUntil > now) return this.#later(conversationId, lane, this.#pausedUntil - now);
    if ([...this.#lanes.values()].filter((other) => other.inFlight).length >= MAX_LANES_IN_FLIGHT) return;
    const item = this.options.store.next(conversationId);
    if (!item) {
      this.#lanes.delete(conversationId);
      return;
    }
    if (this.#ahead.delete(item.key) && !this.#rename(item)) return;
    void this.#issue(lane, item);
  }

  async #issue(lane: Lane, item: OutboxItem, overRest = false): Promise<void> {
    lane.inFlight = item;
    this.options.store.update(item, { state: 'sending' });
    this.options.onChange(item.conversation_id);
    const { id } = item;
    try {
      const sent = await (overRest ? this.options.post(item) : this.options.send(item));
      this.#settle(item, sent);
    } catch (thrown) {
      // Ruled meanwhile by its entry, or by another window.
      if (lane.inFlight !== item || item.id !== id) return;
      const error = asVerbatimError(thrown);
      if (error.code === 'stale_id' && error.heldMessage === undefined && !overRest && this.#online) return this.#issue(lane, item, true);
      lane.inFlight = null;
      this.#refused(lane, item, error, overRest);
    }
  }

  #refused(lane: Lane, item: OutboxItem, error: VerbatimError, overRest: boolean): void {
    const stale = error.code === 'stale_id';
    if (stale && error.heldMessage) return this.#settle(item, error.heldMessage);
    // Without word of what history holds, a new id could send the message twice.
    const safe = !stale || error.heldMessage === null;
    if (error.code === 'future_id' && item.renames < MAX_RENAMES && this.options.clock.now() - this.#onlineAt > FRESH_MS) {
      // An id made now would be refused, too. Else it was made before this session told the time.
      this.#ahead.add(item.key);
      this.options.store.update(item, { state: 'queued', renames: item.renames + 1 });
      this.options.onChange(item.conversation_id);
      return this.options.onWrongTime();
    }
    if (error.retry === 'new_id' && safe && item.renames < MAX_RENAMES) {
      this.options.store.update(item, { state: 'queued', renames: item.renames + 1 });
      if (!this.#rename(item)) return;
      lane.attempt = 0;
    } else if (isTransient(error) || (stale && !safe && !overRest)) {
      this.options.store.update(item, { state: 'queued' });
      const pause = Math.max(error.retryAfterMs ?? 0, backoff(this.options.clock, lane.attempt++, 500, 15_000));
      // The rate is the user's: the other conversations wait too.
      if (error.code === 'rate_limited') this.#pausedUntil = Math.max(this.#pausedUntil, this.options.clock.now() + pause);
      if (this.#online) this.#later(item.conversation_id, lane, pause);
    } else {
      this.options.store.update(item, { state: 'failed', error: { code: error.code, detail: error.message } });
      this.#waiters.get(item.key)?.reject(error);
      this.#waiters.delete(item.key);
    }
    this.options.onChange(item.conversation_id);
    this.#pumpAll();
  }

  /** Another id for what was refused; false where another window saw it ruled. */
  #rename(item: OutboxItem): boolean {
    // Another window of this user may have resent it already: then its id is the one to repeat.
    const id = this.options.store.storedId(item) ?? this.options.ids.next();
    if (id === 'gone') {
      this.#settle(item, null);
      return false;
    }
    this.options.store.update(item, { id });
    return true;
  }

  /** `sent` is null where another window saw the ruling; its entry tells the rest. */
  #settle(item: OutboxItem, sent: Sent | null): void {
    const lane = this.#lane(item.conversation_id);
    if (lane.inFlight === item) lane.inFlight = null;
    if (!this.options.store.get(item.key)) return this.#pumpAll();
    this.options.store.remove(item);
    lane.attempt = 0;
    if (sent) {
      this.options.onSent(item, sent);
      this.#waiters.get(item.key)?.resolve(sent);
    }
    this.#waiters.delete(item.key);
    this.options.onChange(item.conversation_id);
    this.#pumpAll();
  }

  #lane(conversationId: string): Lane {
    let lane = this.#lanes.get(conversationId);
    if (!lane) this.#lanes.set(conversationId, (lane = { inFlight: null, attempt: 0, timer: undefined }));
    return lane;
  }

  #later(conversationId: string, lane: Lane, ms: number): void {
    lane.timer = this.options.clock.setTimeout(() => {
      lane.timer = undefined;
      this.#pump(conversationId);
    }, ms);
  }
}
