import type { Conversation, Entry, Head, InboxItem, Message, Role } from './types.js';

/** What is known of one conversation, for a list. */
export interface ConversationView extends Conversation {
  last_message: Message | null;
  unread: number;
  read: number;
  delivered: number;
  active_at: string;
}

interface Row {
  view: ConversationView;
  /** False while only heads or entries named it. */
  described: boolean;
  /** Entries up to here are in the summary, so that one that comes twice counts once. */
  rev: number;
  /** Deleted messages above `read`, which count in seq but not in unread. */
  discount: number;
}

/** Far above what a list shows; the longest untouched go first. */
const MAX_ROWS = 2_000;

/** The caller's conversations as far as they are known, with unread counts that follow every source. */
export class Inbox {
  #rows = new Map<string, Row>();
  #sorted: ConversationView[] | null = null;

  get(id: string): ConversationView | null {
    const row = this.#rows.get(id);
    return row?.described ? row.view : null;
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  described(id: string): boolean {
    return this.#rows.get(id)?.described ?? false;
  }

  ids(): IterableIterator<string> {
    return this.#rows.keys();
  }

  /** Latest first. */
  list(): ConversationView[] {
    this.#sorted ??= [...this.#rows.values()]
      .filter((row) => row.described)
      .map((row) => row.view)
      .sort((a, b) => (a.active_at < b.active_at ? 1 : a.active_at > b.active_at ? -1 : a.id < b.id ? -1 : 1));
    return this.#sorted;
  }

  totalUnread(): number {
    let total = 0;
    for (const { view } of this.#rows.values()) total += view.unread;
    return total;
  }

  describe(conversation: Conversation | InboxItem): void {
    const row = this.#row(conversation.id);
    // An answer that is older than what live entries told must not take anything back.
    const newer = conversation.head_rev >= row.rev;
    const { head_seq, head_rev, member_count, role, ...rest } = conversation;
    const { read, delivered, unread, last_message, active_at, ...fixed } = rest as Partial<InboxItem>;
    this.#change(row, { ...(fixed as Partial<ConversationView>) });
    if (newer || !row.described) this.#change(row, { member_count, role });
    row.described = true;
    row.rev = Math.max(row.rev, head_rev);
    this.#heads(row, head_rev, head_seq);
    if (last_message) this.#last(row, last_message);
    if (active_at !== undefined) this.#active(row, active_at);
    if (row.view.active_at === '') this.#active(row, conversation.created_at);
    if (delivered !== undefined) this.#change(row, { delivered: Math.max(row.view.delivered, delivered) });
    if (read !== undefined) this.#read(row, read);
    if (unread !== undefined) this.#unread(row, head_seq, read ?? row.view.read, unread);
  }

  head(head: Head): void {
    const row = this.#row(head.conversation_id);
    this.#heads(row, head.head_rev, head.head_seq);
    // A channel's frame leaves these out: then the own watermark is subtracted.
    if (head.read !== undefined) this.#read(row, head.read);
    if (head.unread !== undefined) this.#unread(row, head.head_seq, head.read ?? row.view.read, head.unread);
  }

  read(id: string, seq: number): void {
    const row = this.#rows.get(id);
    if (row) this.#read(row, seq);
  }

  /** A message that this user sent and that was ruled, or that came as an entry. */
  message(message: Message, own: boolean): void {
    const row = this.#row(message.conversation_id);
    this.#last(row, message);
    this.#active(row, message.created_at);
    this.#heads(row, row.view.head_rev, message.seq);
    if (own) this.#read(row, message.seq);
  }

  entry(entry: Entry, me: string): void {
    const row = this.#row(entry.conversation_id);
    const fresh = entry.rev > row.rev;
    row.rev = Math.max(row.rev, entry.rev);
    this.#heads(row, entry.rev, row.view.head_seq);
    if (entry.message) {
      if (entry.kind === 'message') this.message(entry.message, entry.message.sender === me);
      else this.#last(row, entry.message);
    }
    if (entry.at && entry.kind !== 'hidden') this.#active(row, entry.at);
    if (!fresh) return;
    if (entry.kind === 'member_added') this.#change(row, { member_count: row.view.member_count + 1 });
    if (entry.kind === 'member_removed') this.#change(row, { member_count: Math.max(0, row.view.member_count - 1) });
    const role = roleAfter(entry, me);
    if (role) this.#change(row, { role });
  }

  /** What is known may be of another log: it stays to be seen until the server has told it again. */
  doubt(): void {
    for (const row of this.#rows.values()) {
      [row.rev, row.discount] = [0, 0];
      this.#change(row, { head_seq: 0, head_rev: 0, read: 0, delivered: 0, unread: 0, last_message: null });
    }
  }

  remove(id: string): void {
    this.#rows.delete(id);
    this.#sorted = null;
  }

  #row(id: string): Row {
    let row = this.#rows.get(id);
    if (row) return row;
    if (this.#rows.size >= MAX_ROWS) this.#evict();
    const view: ConversationView = {
      id, kind: 'group', history: 'since_join', posting: 'members', role: 'member', member_count: 0, head_seq: 0, head_rev: 0,
      created_at: '', last_message: null, unread: 0, read: 0, delivered: 0, active_at: '',
    };
    this.#rows.set(id, (row = { view, described: false, rev: 0, discount: 0 }));
    return row;
  }

  #evict(): void {
    let oldest: Row | null = null;
    for (const row of this.#rows.values()) if (!oldest || row.view.active_at < oldest.view.active_at) oldest = row;
    if (oldest) this.remove(oldest.view.id);
  }

  /** Views are replaced, never changed, so that a list can compare them by identity. */
  #change(row: Row, change: Partial<ConversationView>): void {
    row.view = { ...row.view, ...change };
    this.#sorted = null;
  }

  #heads(row: Row, rev: number, seq: number): void {
    const head_seq = Math.max(row.view.head_seq, seq);
    this.#change(row, { head_rev: Math.max(row.view.head_rev, rev), head_seq });
    this.#count(row);
  }

  #read(row: Row, seq: number): void {
    if (seq <= row.view.read) return;
    // Which of the deleted ones lie below the new mark is not known; at the head it does not matter.
    row.discount = 0;
    this.#change(row, { read: seq, delivered: Math.max(row.view.delivered, seq) });
    this.#count(row);
  }

  /** The server's own count, which knows the deleted messages, for the head and read it was made at. */
  #unread(row: Row, headSeq: number, read: number, unread: number): void {
    if (read < row.view.read) return;
    row.discount = Math.max(0, headSeq - read - unread);
    this.#count(row);
  }

  #count(row: Row): void {
    this.#change(row, { unread: Math.max(0, row.view.head_seq - row.view.read - row.discount) });
  }

  #last(row: Row, message: Message): void {
    const last = row.view.last_message;
    if (!last || message.seq > last.seq || (message.seq === last.seq && message.rev >= last.rev)) this.#change(row, { last_message: message });
  }

  #active(row: Row, at: string): void {
    if (at > row.view.active_at) this.#change(row, { active_at: at });
  }
}

function roleAfter(entry: Entry, me: string): Role | null {
  if (entry.promoted === me) return 'admin';
  if (entry.kind === 'member_removed' || entry.member?.user_id !== me) return null;
  return entry.member.role;
}
