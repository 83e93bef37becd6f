import type { Clock } from './clock.js';
import type { Emitter } from './emitter.js';
import { problem } from './errors.js';
import type { ClientEvents } from './events.js';
import { Heads } from './heads.js';
import type { Inbox } from './inbox.js';
import type { InboxLoader } from './inbox-loader.js';
import type { OpenConversations } from './open.js';
import type { PresenceWatch } from './presence.js';
import type { ReceiptSender } from './receipts.js';
import type { Sync } from './sync.js';
import type { Entry, Frame, Head, InboxItem, Message, Presence, Receipt, Welcome } from './types.js';
import type { Typing } from './typing.js';
import type { Views } from './views.js';

/** In larger conversations the server records no `delivered`. */
const MAX_WITH_RECEIPTS = 256;

export interface RouterOptions {
  clock: Clock;
  userId: string;
  events: Emitter<ClientEvents>;
  inbox: Inbox;
  loader: InboxLoader;
  open: OpenConversations;
  presence: PresenceWatch;
  receipts: ReceiptSender;
  sync: Sync;
  typing: Typing;
  views: Views;
  onCovered(position: string): void;
  /** A message stands where another one is held. */
  onConflict(): void;
}

/** Brings each frame, and each entry that the sync let through, to the parts it concerns. */
export class FrameRouter {
  #heads: Heads;
  #over = false;

  constructor(private readonly parts: RouterOptions) {
    this.#heads = new Heads({
      clock: parts.clock,
      onHead: (head) => this.head(head),
      onPartial: (named, unnamed) => {
        parts.sync.sweep(named);
        // Those that are still the user's are on the pages.
        if (this.#over) for (const id of unnamed) if (parts.open.get(id) === null) parts.inbox.remove(id);
        parts.loader.refresh();
      },
      onGone: (id) => this.left(id),
      onCovered: parts.onCovered,
    });
  }

  /** `over`: what is known is in doubt. */
  welcome(welcome: Welcome, resumed: boolean, over: boolean): void {
    this.#over = over;
    this.#heads.welcome(welcome, resumed, this.parts.inbox.ids());
  }

  offline(): void {
    this.#heads.offline();
  }

  frame(frame: Frame): void {
    const { events, inbox, loader, presence, sync, typing } = this.parts;
    const id = frame['conversation_id'] as string;
    switch (frame.type) {
      case 'heads':
        this.#heads.frame(frame);
        return events.emit('inbox', null);
      case 'entry':
        this.#heads.name(id);
        if (this.#conflicts(frame as unknown as Entry)) return this.parts.onConflict();
        sync.entry(frame as unknown as Entry);
        if (!inbox.described(id)) loader.describe(id);
        return;
      case 'unread':
        this.#heads.name(id);
        this.head(frame as unknown as Head);
        loader.describe(id);
        return events.emit('inbox', null);
      case 'receipt':
        return this.#receipt(frame as unknown as Receipt & { conversation_id: string });
      case 'typing':
        if (frame['user_id'] !== this.parts.userId) typing.show(id, frame['user_id'] as string);
        return;
      case 'presence':
        return presence.presence(frame as unknown as Presence);
      case 'left':
        this.#heads.left();
        return this.left(id);
      case 'error':
        // Without a request that it answers.
        return events.emit('error', problem(frame));
      default:
        // Frames of a later version.
        return;
    }
  }

  head(head: Head): void {
    const { inbox, receipts, sync } = this.parts;
    inbox.head(head);
    receipts.known(head.conversation_id, { read: head.read });
    sync.head(head);
  }

  /** In rev order. */
  applied(entry: Entry, again: boolean): void {
    const { events, inbox, open, receipts, typing, userId } = this.parts;
    const id = entry.conversation_id;
    inbox.entry(entry, userId);
    open.get(id)?.entry(entry);
    if (entry.message && entry.kind === 'message') {
      typing.hide(id, entry.message.sender);
      if (entry.message.sender === userId) receipts.known(id, { read: entry.message.seq });
      else this.#delivered(id, entry.message.seq);
    }
    if (!again) events.emit('entry', entry);
    events.emit('inbox', null);
    if (open.get(id)) events.emit('conversation', id);
  }

  /** Of the inbox: its last message is on this device now. */
  inboxItem(item: InboxItem): void {
    const { receipts, userId } = this.parts;
    receipts.known(item.id, { read: item.read, delivered: item.delivered });
    const last = item.last_message;
    if (last && last.sender !== userId && last.seq > item.delivered) this.#delivered(item.id, last.seq);
  }

  ownMessage(message: Message): void {
    const { events, inbox, open, receipts } = this.parts;
    const id = message.conversation_id;
    inbox.message(message, true);
    receipts.known(id, { read: message.seq });
    const copy = open.get(id);
    if (copy?.state === 'ready' && copy.conflicts(message)) return this.parts.onConflict();
    if (copy?.state === 'ready') copy.message(message, false);
    events.emit('inbox', null);
    events.emit('conversation', id);
  }

  left(id: string): void {
    const { events, inbox, open, receipts, sync, views } = this.parts;
    // Told twice when one leaves by oneself: by the answer and by the socket.
    const known = inbox.has(id) || open.get(id) !== null;
    sync.forget(id);
    receipts.forget(id);
    views.forget(id);
    open.drop(id);
    inbox.remove(id);
    this.parts.loader.forget(id);
    if (!known) return;
    events.emit('left', id);
    events.emit('inbox', null);
  }

  #conflicts(entry: Entry): boolean {
    const copy = this.parts.open.get(entry.conversation_id);
    return entry.kind === 'message' && entry.message !== undefined && copy?.state === 'ready' && copy.conflicts(entry.message);
  }

  #delivered(id: string, seq: number): void {
    const { inbox, receipts } = this.parts;
    const view = inbox.get(id);
    if (view && (view.kind === 'channel' || view.member_count > MAX_WITH_RECEIPTS)) return;
    receipts.delivered(id, seq);
  }

  #receipt(receipt: Receipt & { conversation_id: string }): void {
    const { events, inbox, open, receipts, userId } = this.parts;
    const id = receipt.conversation_id;
    if (receipt.user_id === userId) {
      receipts.known(id, receipt);
      inbox.read(id, receipt.read);
      events.emit('inbox', null);
    }
    open.get(id)?.receipt(receipt);
    events.emit('receipt', receipt);
    if (open.get(id)) events.emit('conversation', id);
  }
}
