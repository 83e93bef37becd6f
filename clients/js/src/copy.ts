import type { Entry, Member, Message, Page, Receipt } from './types.js';

/** Messages held of one conversation at most; further back history has to be read by the app itself. */
export const MAX_MESSAGES = 5_000;
const MAX_MEMBERS = 1_000;

/** The local copy of an open conversation: a stretch of messages up to the head, members, receipts. */
export class Copy {
  state: 'loading' | 'ready' | 'failed' = 'loading';
  /** By seq, oldest first. Replaced on each change, never changed. */
  messages: readonly Message[] = [];
  hasOlder = false;
  loadingOlder = false;
  /** Null while unread, and for channels. */
  members: ReadonlyMap<string, Member> | null = null;
  receipts: ReadonlyMap<string, Receipt> = new Map();

  constructor(readonly conversationId: string) {}

  /** The newest page, newest first. */
  load(page: Page<Message, number>): void {
    this.messages = [];
    this.receipts = new Map();
    this.merge(page.items);
    this.hasOlder = page.next !== null;
    for (const message of page.items) this.#readOwn(message);
  }

  /** Whether another message is held in this one's place. */
  conflicts(message: Message): boolean {
    const first = this.messages[0]?.seq ?? 0;
    // Without a hole, so the place is known.
    const held = this.messages[message.seq - first] ?? this.messages.at(-1);
    return held !== undefined && held.seq === message.seq && held.id !== message.id;
  }

  /** An older page, newest first. */
  older(page: Page<Message, number>): void {
    this.merge(page.items);
    this.hasOlder = page.next !== null && page.items.length > 0 && this.messages.length < MAX_MESSAGES;
  }

  /** Of two copies of a message the one with the higher rev stays. */
  merge(messages: readonly Message[]): void {
    const bySeq = new Map(this.messages.map((message) => [message.seq, message]));
    for (const message of messages) {
      const held = bySeq.get(message.seq);
      if (!held || message.rev >= held.rev) bySeq.set(message.seq, message);
    }
    this.messages = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
    if (this.messages.length > MAX_MESSAGES) {
      this.messages = this.messages.slice(-MAX_MESSAGES);
      this.hasOlder = false;
    }
  }

  entry(entry: Entry): void {
    const { message } = entry;
    if (message) this.message(message, entry.kind !== 'message');
    if (message && entry.kind === 'message') this.#readOwn(message);
    if (this.members && entry.member) this.#member(entry);
  }

  /** `change`: of a message that may lie before the stretch that is held, where it is left out. */
  message(message: Message, change: boolean): void {
    const last = this.messages.at(-1);
    if (!last || message.seq > last.seq) {
      if (change) return;
      this.messages = [...this.messages, message].slice(-MAX_MESSAGES);
      return;
    }
    const first = this.messages[0] as Message;
    if (message.seq > first.seq || this.messages.some((held) => held.seq === message.seq)) this.merge([message]);
  }

  /** Forgets all but the newest, when nobody looks further back. */
  trim(keep: number): void {
    if (this.messages.length <= keep) return;
    this.messages = this.messages.slice(-keep);
    this.hasOlder = true;
  }

  receipt(receipt: Receipt): void {
    const held = this.receipts.get(receipt.user_id);
    const next = new Map(this.receipts);
    next.set(receipt.user_id, {
      ...receipt,
      delivered: Math.max(receipt.delivered, receipt.read, held?.delivered ?? 0),
      read: Math.max(receipt.read, held?.read ?? 0),
    });
    if (next.size <= MAX_MEMBERS) this.receipts = next;
  }

  setMembers(members: Member[]): void {
    this.members = new Map(members.slice(0, MAX_MEMBERS).map((member) => [member.user_id, member]));
  }

  /** Who writes has read what was there: the server moves the mark without a receipt. */
  #readOwn({ sender, seq, created_at }: Message): void {
    if ((this.receipts.get(sender)?.read ?? 0) < seq) this.receipt({ user_id: sender, delivered: seq, read: seq, at: created_at });
  }

  #member(entry: Entry): void {
    const next = new Map(this.members);
    const member = entry.member as Member;
    if (entry.kind === 'member_removed') next.delete(member.user_id);
    else if (next.size < MAX_MEMBERS || next.has(member.user_id)) next.set(member.user_id, member);
    const held = entry.promoted ? next.get(entry.promoted) : undefined;
    if (held) next.set(held.user_id, { ...held, role: 'admin' });
    this.members = next;
  }
}

type Progress = 'sent' | 'delivered' | 'read';

/**
 * How far one's own messages got: delivered or read when every other member has, counted over those who were
 * members when it was written. The answer is made once for many messages.
 */
export function progress(copy: Copy, me: string, peer?: string): (message: Pick<Message, 'seq' | 'created_at'>) => Progress {
  const others = peer === undefined ? [...(copy.members?.values() ?? [])].filter((member) => member.user_id !== me) : [{ user_id: peer, since: '' }];
  const marks = others.map(({ user_id, since }) => ({ since, delivered: copy.receipts.get(user_id)?.delivered ?? 0, read: copy.receipts.get(user_id)?.read ?? 0 }));
  return ({ seq, created_at }) => {
    let counted = 0;
    let reached: Progress = 'read';
    for (const mark of marks) {
      if (mark.since > created_at) continue;
      counted++;
      if (mark.delivered < seq) return 'sent';
      if (mark.read < seq) reached = 'delivered';
    }
    return counted === 0 ? 'sent' : reached;
  };
}
