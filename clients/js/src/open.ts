import { Copy } from './copy.js';
import { asVerbatimError, type VerbatimError } from './errors.js';
import type { Inbox } from './inbox.js';
import type { Rest } from './rest.js';
import type { Sync } from './sync.js';
import type { Member, Page } from './types.js';

/** Copies kept at a time; the one not looked at for longest goes. */
const MAX_COPIES = 10;
const PAGE = 50;
/** Pages read of members and of receipts; above 256 members receipts are not shown anyway. */
const MAX_PAGES = 25;
const MAX_WITH_RECEIPTS = 256;

export interface OpenOptions {
  rest: Rest;
  inbox: Inbox;
  sync: Sync;
  onChange(conversationId: string): void;
  onError(error: VerbatimError): void;
  onEvict(conversationId: string): void;
}

/** Reads and keeps the local copies of opened conversations. */
export class OpenConversations {
  #copies = new Map<string, Copy>();

  constructor(private readonly options: OpenOptions) {}

  get(id: string): Copy | null {
    return this.#copies.get(id) ?? null;
  }

  /** Opens a conversation, or marks the open one as just used. Resolves when it was read. */
  async open(id: string): Promise<Copy> {
    const held = this.#copies.get(id);
    if (held) {
      this.#copies.delete(id);
      this.#copies.set(id, held);
      if (held.state !== 'failed') return held;
    }
    const copy = held ?? new Copy(id);
    this.#copies.set(id, copy);
    const oldest = this.#copies.keys().next().value;
    if (this.#copies.size > MAX_COPIES && oldest !== undefined) this.close(oldest);
    await this.#read(copy);
    return copy;
  }

  close(id: string): void {
    if (!this.#copies.delete(id)) return;
    this.options.sync.release(id);
    this.options.onEvict(id);
  }

  /** Without a word to the sync, which forgets the conversation itself. */
  drop(id: string): void {
    this.#copies.delete(id);
  }

  /** Reads a copy anew, from the head. */
  async reload(id: string): Promise<void> {
    const copy = this.#copies.get(id);
    if (copy) await this.#read(copy);
  }

  ids(): string[] {
    return [...this.#copies.keys()];
  }

  /** Reads all copies anew. */
  reloadAll(): void {
    for (const copy of this.#copies.values()) void this.#read(copy);
  }

  /** After a new connection: what could not be read before. */
  retryFailed(): void {
    for (const copy of this.#copies.values()) if (copy.state === 'failed') void this.#read(copy);
  }

  /** The page before the oldest message held. False when there is none. */
  async older(id: string): Promise<boolean> {
    const copy = this.#copies.get(id);
    const first = copy?.messages[0];
    if (!copy || !first || !copy.hasOlder || copy.loadingOlder) return false;
    copy.loadingOlder = true;
    this.options.onChange(id);
    try {
      copy.older(await this.options.rest.messages(id, { before: first.seq, limit: PAGE }));
      return true;
    } finally {
      copy.loadingOlder = false;
      this.options.onChange(id);
    }
  }

  async #read(copy: Copy): Promise<void> {
    const { rest, inbox, sync } = this.options;
    const id = copy.conversationId;
    copy.state = 'loading';
    this.options.onChange(id);
    sync.hold(id);
    try {
      // First the head, then messages that (by the position of the first answer) include it.
      const conversation = await rest.conversation(id);
      const page = await rest.messages(id, { limit: PAGE });
      if (this.#copies.get(id) !== copy) return;
      inbox.describe(conversation);
      copy.load(page);
      copy.state = 'ready';
      sync.start(id, page.items.reduce((rev, message) => Math.max(rev, message.rev), conversation.head_rev));
      this.options.onChange(id);
      if (conversation.kind !== 'channel' && conversation.member_count <= MAX_WITH_RECEIPTS) await this.#details(copy);
      else await this.#members(copy, 1);
    } catch (thrown) {
      if (this.#copies.get(id) !== copy) return;
      if (copy.state === 'loading') {
        copy.state = 'failed';
        sync.release(id);
      }
      this.options.onChange(id);
      this.options.onError(asVerbatimError(thrown));
    }
  }

  async #details(copy: Copy): Promise<void> {
    const id = copy.conversationId;
    await Promise.all([
      this.#members(copy, MAX_PAGES),
      pages((cursor) => this.options.rest.receipts(id, cursor), MAX_PAGES).then((receipts) => {
        for (const receipt of receipts) copy.receipt(receipt);
      }),
    ]);
    this.options.onChange(id);
  }

  async #members(copy: Copy, max: number): Promise<void> {
    const members: Member[] = await pages((cursor) => this.options.rest.members(copy.conversationId, cursor), max);
    copy.setMembers(members);
    this.options.onChange(copy.conversationId);
  }
}

async function pages<T>(read: (page: { cursor?: string }) => Promise<Page<T>>, max: number): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  for (let count = 0; count < max; count++) {
    const page: Page<T> = await read(cursor === null ? {} : { cursor });
    all.push(...page.items);
    cursor = page.next;
    if (cursor === null) break;
  }
  return all;
}
