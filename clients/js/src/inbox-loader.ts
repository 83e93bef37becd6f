import { backoff, type Clock } from './clock.js';
import { asVerbatimError } from './errors.js';
import type { Inbox } from './inbox.js';
import type { Rest } from './rest.js';
import type { InboxItem } from './types.js';

export interface InboxLoaderOptions {
  clock: Clock;
  rest: Rest;
  inbox: Inbox;
  onItem(item: InboxItem): void;
  onChange(): void;
  onError(error: unknown): void;
}

const PAGE = 50;
/** Pages read at a refresh; heads name no more conversations than these hold. */
const MAX_PAGES = 10;
/** Conversations that frames named but nobody described yet; beyond this the next refresh finds them. */
const MAX_UNKNOWN = 100;
const MAX_ATTEMPTS = 5;

/** Fills the inbox over REST: page by page as the app asks, and single conversations that frames name. */
export class InboxLoader {
  #wanted = false;
  #loaded = false;
  #next: string | null = null;
  #refreshing: Promise<void> | null = null;
  #stale = false;
  #loadingMore = false;
  #unknown = new Map<string, number>();
  #describing = false;
  /** Pages under way, and what was left meanwhile: an older answer must not bring it back. */
  #asking = 0;
  #left = new Set<string>();

  constructor(private readonly options: InboxLoaderOptions) {}

  load(): Promise<void> {
    this.#wanted = true;
    if (this.#refreshing) {
      this.#stale = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#first().finally(() => {
      this.#refreshing = null;
      if (this.#stale) {
        this.#stale = false;
        this.refresh();
      }
    });
    return this.#refreshing;
  }

  /** After a new connection, or when heads could not name all; only where the app uses the inbox. */
  refresh(): void {
    if (this.#wanted) this.load().catch((error: unknown) => this.options.onError(error));
  }

  /** The inbox was emptied: the next refresh begins anew. */
  restart(): void {
    this.#loaded = false;
    this.#next = null;
    this.#unknown.clear();
  }

  /** This conversation was left. */
  forget(id: string): void {
    if (this.#asking > 0) this.#left.add(id);
  }

  async #page(query: { cursor?: string; limit: number }): ReturnType<Rest['conversations']> {
    this.#asking++;
    try {
      const page = await this.options.rest.conversations(query);
      return { ...page, items: page.items.filter((item) => !this.#left.has(item.id)) };
    } finally {
      if (--this.#asking === 0) this.#left.clear();
    }
  }

  async more(): Promise<boolean> {
    if (this.#next === null || this.#loadingMore) return false;
    this.#loadingMore = true;
    try {
      const page = await this.#page({ cursor: this.#next, limit: PAGE });
      this.#take(page.items);
      this.#next = page.next;
      return this.#next !== null;
    } finally {
      this.#loadingMore = false;
    }
  }

  get hasMore(): boolean {
    return this.#next !== null;
  }

  /** A frame named this conversation: read what it is, unless that is known. */
  describe(id: string, attempt = 0): void {
    if (this.options.inbox.described(id) || this.#unknown.size >= MAX_UNKNOWN || this.#unknown.has(id)) return;
    this.#unknown.set(id, attempt);
    void this.#describeAll();
  }

  /** The first page, and further ones as long as they hold what changed since the last time. */
  async #first(): Promise<void> {
    const newest = this.#loaded ? this.options.inbox.list()[0]?.active_at : undefined;
    let cursor: string | undefined;
    for (let count = 0; count < MAX_PAGES; count++) {
      const page = await this.#page({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
      this.#take(page.items);
      if (!this.#loaded) this.#next = page.next;
      this.#loaded = true;
      const last = page.items.at(-1)?.active_at;
      if (page.next === null || newest === undefined || last === undefined || last <= newest) return;
      cursor = page.next;
    }
  }

  #take(items: InboxItem[]): void {
    for (const item of items) {
      this.options.inbox.describe(item);
      this.options.onItem(item);
    }
    this.options.onChange();
  }

  async #describeAll(): Promise<void> {
    if (this.#describing) return;
    this.#describing = true;
    for (const [id, attempt] of this.#unknown) {
      try {
        const conversation = await this.options.rest.conversation(id);
        // Left meanwhile: it must not come back.
        if (this.options.inbox.has(id)) this.options.inbox.describe(conversation);
        this.options.onChange();
        this.#unknown.delete(id);
      } catch (thrown) {
        this.#unknown.delete(id);
        this.#retry(id, attempt, thrown);
      }
    }
    this.#describing = false;
  }

  /** The read model may not have the conversation yet that the socket already told of. */
  #retry(id: string, attempt: number, thrown: unknown): void {
    const error = asVerbatimError(thrown);
    if (attempt + 1 >= MAX_ATTEMPTS) return error.code === 'conversation_not_found' ? undefined : this.options.onError(error);
    this.options.clock.setTimeout(() => {
      if (this.options.inbox.has(id)) this.describe(id, attempt + 1);
    }, backoff(this.options.clock, attempt, 400, 5_000));
  }
}
