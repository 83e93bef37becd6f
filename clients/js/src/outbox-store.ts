import type { Clock } from './clock.js';
import { VerbatimError } from './errors.js';
import type { Persistence } from './persistence.js';

export interface OutboxItem {
  /** Names the item for its whole life; the message id changes when a spent one is replaced. */
  key: string;
  /** The message id that is sent. */
  id: string;
  conversation_id: string;
  text: string;
  metadata?: Record<string, unknown>;
  /** Local time, for people. */
  queued_at: number;
  /** The order in which messages were written. */
  order: number;
  state: 'queued' | 'sending' | 'failed';
  error: { code: string; detail: string } | null;
  renames: number;
}

/** Bounds of the interface on one message. */
const MAX_TEXT_BYTES = 16_384;
const MAX_METADATA_BYTES = 4_096;
export const MAX_ITEMS = 500;

/** The outbox's items, bounded, in order, each kept in the persistence before anyone is told of it. */
export class OutboxStore {
  #items = new Map<string, OutboxItem>();
  /** Keys that the persistence took: only of these does a missing value mean that another window removed it. */
  #saved = new Set<string>();
  #order = 0;

  constructor(
    private readonly persistence: Persistence,
    private readonly prefix: string,
    private readonly clock: Clock,
    private readonly onPersistenceError: (error: unknown) => void,
  ) {
    for (const [, value] of this.#load()) {
      const item = read(value);
      if (!item || this.#items.size >= MAX_ITEMS) continue;
      // What was under way when the page ended is not known to be ruled: it is repeated.
      if (item.state === 'sending') item.state = 'queued';
      this.#items.set(item.key, item);
      this.#saved.add(item.key);
      this.#order = Math.max(this.#order, item.order);
    }
  }

  add(id: string, conversationId: string, text: string, metadata?: Record<string, unknown>): OutboxItem {
    check(text, metadata);
    if (this.#items.size >= MAX_ITEMS) {
      throw new VerbatimError({ code: 'outbox_full', detail: `${MAX_ITEMS} messages wait to be sent: wait for the connection or discard failed ones`, retry: 'no' });
    }
    const item: OutboxItem = {
      key: id,
      id,
      conversation_id: conversationId,
      text,
      ...(metadata === undefined ? {} : { metadata }),
      queued_at: this.clock.now(),
      order: ++this.#order,
      state: 'queued',
      error: null,
      renames: 0,
    };
    this.#items.set(item.key, item);
    this.#save(item);
    return item;
  }

  get(key: string): OutboxItem | undefined {
    return this.#items.get(key);
  }

  byId(id: string): OutboxItem | undefined {
    const direct = this.#items.get(id);
    if (direct?.id === id) return direct;
    for (const item of this.#items.values()) if (item.id === id) return item;
    return undefined;
  }

  /** In the order of writing. */
  all(conversationId?: string): OutboxItem[] {
    return [...this.#items.values()]
      .filter((item) => conversationId === undefined || item.conversation_id === conversationId)
      .sort((a, b) => a.order - b.order || (a.key < b.key ? -1 : 1));
  }

  conversations(): string[] {
    return [...new Set(this.all().map((item) => item.conversation_id))];
  }

  /** The first that is not ruled. */
  next(conversationId: string): OutboxItem | undefined {
    return this.all(conversationId).find((item) => item.state !== 'failed');
  }

  update(item: OutboxItem, change: Partial<Pick<OutboxItem, 'id' | 'state' | 'error' | 'renames'>>): void {
    const kept = (change.id !== undefined && change.id !== item.id) || change.state === 'failed' || item.state === 'failed';
    Object.assign(item, change);
    // Queued or sending makes no difference after a reload, so it is not written.
    if (kept) this.#save(item);
  }

  /** `keep` leaves it in the persistence, for the window that goes on with it. */
  remove(item: OutboxItem, keep = false): void {
    this.#items.delete(item.key);
    this.#saved.delete(item.key);
    if (keep) return;
    try {
      this.persistence.remove(this.prefix + item.key);
    } catch (error) {
      this.onPersistenceError(error);
    }
  }

  /** The id another window gave the item meanwhile, `gone` when it removed it, else null. */
  storedId(item: OutboxItem): string | null {
    if (!this.#saved.has(item.key)) return null;
    try {
      const value = this.persistence.get(this.prefix + item.key);
      if (value === null) return 'gone';
      const id = read(value)?.id;
      return id !== undefined && id !== item.id ? id : null;
    } catch {
      return null;
    }
  }

  #load(): Array<[string, string]> {
    try {
      return this.persistence.load(this.prefix);
    } catch (error) {
      this.onPersistenceError(error);
      return [];
    }
  }

  #save(item: OutboxItem): void {
    try {
      this.persistence.put(this.prefix + item.key, JSON.stringify(item));
      this.#saved.add(item.key);
    } catch (error) {
      // Sent all the same; only a reload before the ruling would lose it, and the app is told.
      this.onPersistenceError(error);
    }
  }
}

function check(text: string, metadata: Record<string, unknown> | undefined): void {
  const bytes = new TextEncoder().encode(text).length;
  const invalid = (code: string, detail: string) => new VerbatimError({ code, detail, retry: 'no', field: 'text' });
  if (bytes === 0) throw invalid('invalid', 'the text is empty');
  if (bytes > MAX_TEXT_BYTES) throw invalid('too_large', `the text has ${bytes} bytes, at most ${MAX_TEXT_BYTES} are allowed`);
  if (text.includes('\0')) throw invalid('invalid', 'the text contains a NUL');
  if (metadata && new TextEncoder().encode(JSON.stringify(metadata)).length > MAX_METADATA_BYTES) {
    throw new VerbatimError({ code: 'too_large', detail: `metadata is above ${MAX_METADATA_BYTES} bytes`, retry: 'no', field: 'metadata' });
  }
}

/** Null for what an older or a newer version wrote in another shape. */
function read(value: string): OutboxItem | null {
  try {
    const item = JSON.parse(value) as Partial<OutboxItem>;
    const whole = typeof item.key === 'string' && typeof item.id === 'string' && typeof item.conversation_id === 'string' && typeof item.text === 'string' && typeof item.order === 'number';
    if (!whole) return null;
    return { queued_at: 0, state: 'queued', error: null, renames: 0, ...item } as OutboxItem;
  } catch {
    return null;
  }
}
