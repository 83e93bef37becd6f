import { backoff, type Clock } from './clock.js';
import { asVerbatimError, isTransient, VerbatimError } from './errors.js';
import type { Entry, Frame, Head } from './types.js';

interface Cursor {
  /** The last rev whose entry was applied, in order. */
  last: number;
  /** The highest rev known to exist. */
  head: number;
  /** Up to here the app was told already; above `last` while a copy that was read late catches up. */
  seen: number;
  /** Heads could not name every conversation that changed: asked once, whatever the known head. */
  verify: boolean;
  /** There is a local copy: every entry counts. Without one, only the newest state matters. */
  copy: boolean;
  /** The next head counts whatever was known before: the log may be another one, or an earlier copy. */
  doubt: boolean;
  /** A copy is being read; entries wait until it is known where it starts. */
  held: boolean;
  /** Entries beyond a gap. */
  buffer: Map<number, Entry>;
  attempt: number;
  timer: unknown;
}

export interface SyncOptions {
  clock: Clock;
  request(frame: { type: string } & Record<string, unknown>): Promise<Frame>;
  userId(): string | null;
  /** In rev order, each once for a copy. `again`: the app was told of it before that copy was read. */
  onEntry(entry: Entry, again: boolean): void;
  /** The copy is too far behind to be mended entry by entry: it has to be read anew. */
  onReset(conversationId: string): void;
  onError(error: VerbatimError): void;
  /** Beyond this many missing revs a copy is read anew. */
  maxGap: number;
  /** Treat every conversation as one with a copy, from where it is first seen. */
  followAll: boolean;
}

/** Entries kept beyond a gap; more than these are fetched again instead. */
const MAX_BUFFER = 200;
const MAX_CURSORS = 5_000;
const MAX_ATTEMPTS = 6;

/** Keeps each conversation's revs without hole or repetition: duplicates are dropped, gaps are fetched, one at a time. */
export class Sync {
  #cursors = new Map<string, Cursor>();
  #queue = new Set<string>();
  #fetching = false;
  #online = false;

  constructor(private readonly options: SyncOptions) {}

  /** The revs of a conversation, for tests and for display. */
  cursor(conversationId: string): { last: number; head: number } | null {
    const cursor = this.#cursors.get(conversationId);
    return cursor ? { last: cursor.last, head: cursor.head } : null;
  }

  online(): void {
    this.#online = true;
    // What the last session learnt of but did not fetch is not named again by heads since its welcome.
    for (const [id, cursor] of this.#cursors) this.#check(id, cursor);
  }

  offline(): void {
    this.#online = false;
    this.#queue.clear();
    for (const cursor of this.#cursors.values()) {
      this.options.clock.clearTimeout(cursor.timer);
      cursor.timer = undefined;
      cursor.attempt = 0;
    }
  }

  head(head: Pick<Head, 'conversation_id' | 'head_rev'>): void {
    const cursor = this.#cursors.get(head.conversation_id) ?? this.#create(head.conversation_id, head.head_rev);
    if (cursor.doubt) {
      cursor.doubt = false;
      if (head.head_rev < cursor.last) return this.#back(head.conversation_id, cursor, head.head_rev);
    }
    cursor.head = Math.max(cursor.head, head.head_rev);
    if (!cursor.copy) cursor.last = Math.max(cursor.last, head.head_rev);
    this.#check(head.conversation_id, cursor);
  }

  entry(entry: Entry): void {
    const cursor = this.#cursors.get(entry.conversation_id) ?? this.#create(entry.conversation_id, entry.rev - 1);
    cursor.head = Math.max(cursor.head, entry.rev);
    if (cursor.held) return this.#keep(cursor, entry);
    if (entry.rev <= cursor.last) return;
    const joined = entry.kind === 'member_added' && entry.member?.user_id === this.options.userId();
    // Revs before one's own joining are not shown, so that is no gap.
    if (!cursor.copy || entry.rev === cursor.last + 1 || (joined && cursor.last === 0)) this.#apply(cursor, entry);
    else this.#keep(cursor, entry);
    this.#drain(entry.conversation_id, cursor);
  }

  /** Entries wait from now on; `start` follows when the copy was read. */
  hold(conversationId: string): void {
    const cursor = this.#cursors.get(conversationId) ?? this.#create(conversationId, 0);
    cursor.held = true;
  }

  /** The copy that was read holds everything up to `rev`. */
  start(conversationId: string, rev: number): void {
    const cursor = this.#cursors.get(conversationId) ?? this.#create(conversationId, rev);
    cursor.held = false;
    cursor.copy = true;
    cursor.last = rev;
    cursor.head = Math.max(cursor.head, rev);
    this.#drain(conversationId, cursor);
  }

  /** Reading the copy failed, or it was given up. */
  release(conversationId: string): void {
    const cursor = this.#cursors.get(conversationId);
    if (!cursor) return;
    cursor.held = false;
    cursor.copy = this.options.followAll;
    this.#queue.delete(conversationId);
    this.#drain(conversationId, cursor);
    if (!cursor.copy) cursor.last = cursor.head;
  }

  /** Fetches after the last rev of every copy but those in `known`; for when heads could not name them all. */
  sweep(known: ReadonlySet<string>): void {
    for (const [id, cursor] of this.#cursors) {
      if (!cursor.copy || cursor.held || known.has(id)) continue;
      cursor.verify = true;
      this.#check(id, cursor);
    }
  }

  /** All is new to this client: of what is not a copy nothing is kept, and a copy that is `read` anew starts again. */
  doubt(read: (conversationId: string) => boolean): void {
    for (const [id, cursor] of this.#cursors) {
      if (read(id)) {
        cursor.buffer.clear();
        cursor.last = cursor.head = cursor.seen = 0;
      } else if (!cursor.copy && !cursor.held) this.forget(id);
      else cursor.doubt = true;
    }
  }

  forget(conversationId: string): void {
    const cursor = this.#cursors.get(conversationId);
    if (cursor) this.options.clock.clearTimeout(cursor.timer);
    this.#cursors.delete(conversationId);
    this.#queue.delete(conversationId);
  }

  #create(conversationId: string, last: number): Cursor {
    if (this.#cursors.size >= MAX_CURSORS) {
      // Those without a copy lose nothing: the next head or entry makes them anew.
      for (const [id, cursor] of this.#cursors) if (!cursor.copy && !cursor.held) { this.forget(id); break; }
    }
    const cursor: Cursor = { last, head: last, seen: last, verify: false, doubt: false, copy: this.options.followAll, held: false, buffer: new Map(), attempt: 0, timer: undefined };
    this.#cursors.set(conversationId, cursor);
    return cursor;
  }

  /** The log ends before what is known: it was restored from a copy, and what comes has numbers that were used. */
  #back(id: string, cursor: Cursor, head: number): void {
    cursor.buffer.clear();
    cursor.last = cursor.head = cursor.seen = head;
    this.options.onReset(id);
  }

  #keep(cursor: Cursor, entry: Entry): void {
    if (cursor.buffer.size < MAX_BUFFER) cursor.buffer.set(entry.rev, entry);
  }

  #apply(cursor: Cursor, entry: Entry): void {
    const again = entry.rev <= cursor.seen;
    cursor.last = entry.rev;
    cursor.seen = Math.max(cursor.seen, entry.rev);
    cursor.attempt = 0;
    this.options.onEntry(entry, again);
  }

  #drain(id: string, cursor: Cursor): void {
    for (const rev of [...cursor.buffer.keys()].sort((a, b) => a - b)) {
      if (rev > cursor.last + 1 && cursor.copy) break;
      const entry = cursor.buffer.get(rev) as Entry;
      cursor.buffer.delete(rev);
      if (rev > cursor.last) this.#apply(cursor, entry);
    }
    this.#check(id, cursor);
  }

  #check(id: string, cursor: Cursor): void {
    if (!cursor.copy || cursor.held || (cursor.last >= cursor.head && !cursor.verify)) return;
    if (cursor.head - cursor.last > this.options.maxGap) {
      cursor.buffer.clear();
      this.options.onReset(id);
    } else this.#enqueue(id);
  }

  #enqueue(id: string): void {
    const cursor = this.#cursors.get(id);
    if (!this.#online || cursor?.timer !== undefined) return;
    this.#queue.add(id);
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#fetching) return;
    this.#fetching = true;
    try {
      for (;;) {
        const next = this.#queue.values().next();
        if (next.done || !this.#online) return;
        this.#queue.delete(next.value);
        await this.#fetch(next.value);
      }
    } finally {
      this.#fetching = false;
    }
  }

  async #fetch(id: string): Promise<void> {
    const cursor = this.#cursors.get(id);
    if (!cursor || !cursor.copy || cursor.held) return;
    let after = cursor.last;
    for (;;) {
      let frame: Frame;
      try {
        frame = await this.options.request({ type: 'fetch', conversation_id: id, after });
      } catch (thrown) {
        const error = asVerbatimError(thrown);
        if (this.#cursors.get(id) !== cursor || error.code === 'disconnected' || error.code === 'no_answer') return;
        // Not a member any more: `left` follows, or heads on the next welcome.
        if (!isTransient(error)) return this.options.onError(error);
        return this.#again(id, cursor, error);
      }
      // Left, read anew or given up while the answer was on its way.
      if (this.#cursors.get(id) !== cursor || !cursor.copy || cursor.held) return;
      const head = Number(frame['head_rev']) || 0;
      if (cursor.doubt) {
        cursor.doubt = cursor.verify = false;
        if (head < cursor.last) return this.#back(id, cursor, head);
      }
      for (const entry of frame['items'] as Entry[]) if (entry.rev > cursor.last) this.#apply(cursor, entry);
      cursor.head = Math.max(cursor.head, head);
      const next = frame['next'] as number | null | undefined;
      if (typeof next !== 'number' || next <= after) break;
      after = Math.max(next, cursor.last);
    }
    cursor.verify = false;
    this.#drain(id, cursor);
    this.#queue.delete(id);
    if (cursor.last < cursor.head) this.#again(id, cursor, null);
  }

  /** The server had no more although there is: it lags, or what is missing is not shown to this user. */
  #again(id: string, cursor: Cursor, error: VerbatimError | null): void {
    if (!this.#online) return;
    if (cursor.attempt >= MAX_ATTEMPTS && !error) {
      const missing = cursor.last + 1;
      const first = Math.min(...cursor.buffer.keys(), cursor.head + 1);
      this.options.onError(new VerbatimError({ code: 'gap', detail: `revs ${missing} to ${first - 1} of ${id} are not shown to this user`, retry: 'no' }));
      cursor.last = first - 1;
      cursor.attempt = 0;
      return this.#drain(id, cursor);
    }
    const pause = Math.max(error?.retryAfterMs ?? 0, backoff(this.options.clock, cursor.attempt++, 200, 5_000));
    cursor.timer = this.options.clock.setTimeout(() => {
      cursor.timer = undefined;
      if (this.#cursors.get(id) === cursor) this.#check(id, cursor);
    }, pause);
  }
}
