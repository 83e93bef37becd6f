import { ServerTime } from './clock.js';
import { Connection, type ConnectionState } from './connection.js';
import type { Copy } from './copy.js';
import { Emitter } from './emitter.js';
import { asVerbatimError } from './errors.js';
import type { ClientEvents } from './events.js';
import { FrameRouter } from './router.js';
import { Http } from './http.js';
import { Ids } from './ids.js';
import { Inbox, type ConversationView } from './inbox.js';
import { InboxLoader } from './inbox-loader.js';
import { OpenConversations } from './open.js';
import { resolveOptions, type ClientOptions } from './options.js';
import { Outbox, type Sent } from './outbox.js';
import { OutboxStore, type OutboxItem } from './outbox-store.js';
import { Positions } from './positions.js';
import { PresenceWatch } from './presence.js';
import { ReceiptSender } from './receipts.js';
import { Rest } from './rest.js';
import { Sync } from './sync.js';
import { Tokens } from './tokens.js';
import type { Conversation, Entry, Metadata, NewConversation, Presence, Welcome } from './types.js';
import { Typing } from './typing.js';
import { Views } from './views.js';

/** One user's connection to Verbatim. Everything it keeps is bounded; see the parts for the bounds. */
export class VerbatimClient {
  readonly userId: string;
  /** Every route of the interface, for what has no method here. */
  readonly rest: Rest;
  readonly events = new Emitter<ClientEvents>();
  readonly inbox = new Inbox();
  readonly #connection: Connection;
  readonly #loader: InboxLoader;
  readonly #open: OpenConversations;
  readonly #outbox: Outbox;
  readonly #store: OutboxStore;
  readonly #presence: PresenceWatch;
  readonly #receipts: ReceiptSender;
  readonly #router: FrameRouter;
  readonly #sync: Sync;
  readonly #typing: Typing;
  readonly #views: Views;
  readonly #positions = new Positions();
  /** The log is known to have gone back: the next session starts over. */
  #wentBack = false;

  constructor(given: ClientOptions) {
    const options = resolveOptions(given);
    const { clock } = options;
    const time = new ServerTime(clock);
    const tokens = new Tokens(options.token, time);
    const positions = this.#positions;
    const ids = new Ids(time, clock);
    const request = (frame: { type: string } & Record<string, unknown>) => this.#connection.request(frame);
    const onError = (error: unknown) => this.#error(error);
    const changed = (id: string) => this.events.emit('conversation', id);
    const http = new Http({ baseUrl: options.baseUrl, fetch: options.fetch, clock, tokens, positions });

    this.userId = options.userId;
    this.rest = new Rest(http, ids);
    // A slash is in no user id, so one user's keys never begin like another's.
    const prefix = `verbatim.outbox/${encodeURIComponent(options.baseUrl)}/${options.userId}/`;
    this.#store = new OutboxStore(options.persistence, prefix, clock, onError);
    this.#sync = new Sync({
      clock,
      request,
      userId: () => this.userId,
      onEntry: (entry, again) => this.#entry(entry, again),
      onReset: (id) => this.#reset(id),
      onError,
      maxGap: options.maxGap,
      followAll: options.followAll,
    });
    this.#loader = new InboxLoader({ clock, rest: this.rest, inbox: this.inbox, onItem: (item) => this.#router.inboxItem(item), onChange: () => this.events.emit('inbox', null), onError });
    this.#open = new OpenConversations({ rest: this.rest, inbox: this.inbox, sync: this.#sync, onChange: changed, onError, onEvict: (id) => this.#views.unview(id) });
    this.#outbox = new Outbox({
      clock,
      ids,
      store: this.#store,
      send: async (item) => {
        const ack = await request({ type: 'send', conversation_id: item.conversation_id, id: item.id, text: item.text, ...(item.metadata ? { metadata: item.metadata } : {}) });
        positions.wrote(item.conversation_id, ack['position'] as string | undefined);
        return ack as unknown as Sent;
      },
      post: (item) => this.rest.postMessage(item.conversation_id, { id: item.id, text: item.text, ...(item.metadata ? { metadata: item.metadata } : {}) }),
      onSent: (item, sent) => this.#sent(item, sent),
      onWrongTime: () => this.#connection.restart(),
      onChange: (id) => this.events.emit('outbox', id),
    });
    this.#presence = new PresenceWatch({ request, onChange: (user) => this.events.emit('presence', user), onError });
    this.#receipts = new ReceiptSender({ clock, send: (id, marks) => request({ type: 'receipt', conversation_id: id, ...marks }) });
    this.#typing = new Typing({ clock, post: (frame) => this.#connection.post(frame), onChange: (id) => this.events.emit('typing', id) });
    this.#views = new Views({ clock, request, onHead: (id, rev, seq) => this.#router.head({ conversation_id: id, head_rev: rev, head_seq: seq }), onError });
    this.#router = new FrameRouter({
      clock,
      userId: this.userId,
      events: this.events,
      inbox: this.inbox,
      loader: this.#loader,
      open: this.#open,
      presence: this.#presence,
      receipts: this.#receipts,
      sync: this.#sync,
      typing: this.#typing,
      views: this.#views,
      onCovered: (position) => (this.#connection.since = position),
      onConflict: () => this.#logWentBack(),
    });
    this.#connection = new Connection({
      url: options.socketUrl,
      socket: options.WebSocket,
      clock,
      time,
      tokens,
      userId: options.userId,
      ticket: () => this.rest.ticket(),
      onState: (state) => this.events.emit('state', state),
      onOnline: (welcome, resumed, refused) => this.#online(welcome, resumed, refused),
      onOffline: () => this.#offline(),
      onFrame: (frame) => this.#router.frame(frame),
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  start(): void {
    this.#connection.start();
  }

  /** Closes for good; the outbox stays in the persistence for the next start. */
  stop(): void {
    this.#connection.stop();
  }

  retryNow(): void {
    this.#connection.retryNow();
  }

  /** After a sleep or a change of network: finds out whether the connection still lives. */
  checkConnection(): void {
    if (this.#connection.online) this.#connection.probe();
    else this.#connection.retryNow();
  }

  /** Reads the first page of the inbox, and keeps it fresh over reconnections from then on. */
  loadInbox(): Promise<void> {
    return this.#loader.load();
  }

  /** Reads the next page; false at the end. */
  loadMoreInbox(): Promise<boolean> {
    return this.#loader.more();
  }

  /** Reads a conversation and follows it until it is closed (or ten others were opened since). */
  open(conversationId: string): Promise<Copy> {
    const kind = this.inbox.get(conversationId)?.kind;
    if (kind === 'channel') this.#views.view(conversationId);
    return this.#open.open(conversationId).then((copy) => {
      // Only now known, if it was not in the inbox.
      if (kind === undefined && this.inbox.get(conversationId)?.kind === 'channel') this.#views.view(conversationId);
      this.events.emit('inbox', null);
      return copy;
    });
  }

  close(conversationId: string): void {
    this.#open.close(conversationId);
  }

  copy(conversationId: string): Copy | null {
    return this.#open.get(conversationId);
  }

  /** One page further back; false when there is none. */
  loadOlder(conversationId: string): Promise<boolean> {
    return this.#open.older(conversationId);
  }

  /** Puts a message into the outbox, which sends it until it is ruled. Throws on what can never be sent. */
  send(conversationId: string, text: string, metadata?: Metadata): { item: OutboxItem; done: Promise<Sent> } {
    this.#typing.ended(conversationId);
    return this.#outbox.add(conversationId, text, metadata);
  }

  /** Unsent messages in the order of writing. */
  unsent(conversationId?: string): OutboxItem[] {
    return this.#store.all(conversationId);
  }

  retrySend(key: string): void {
    this.#outbox.retry(key);
  }

  discardSend(key: string): void {
    this.#outbox.discard(key);
  }

  /** Everything up to `seq` (default: the head) was seen. */
  markRead(conversationId: string, seq = this.inbox.get(conversationId)?.head_seq ?? 0): void {
    if (seq <= (this.inbox.get(conversationId)?.read ?? 0)) return;
    this.#receipts.read(conversationId, seq);
    this.inbox.read(conversationId, seq);
    this.events.emit('inbox', null);
  }

  typing(conversationId: string): void {
    this.#typing.typing(conversationId);
  }

  typingUsers(conversationId: string): string[] {
    return this.#typing.users(conversationId);
  }

  /** Watches who is online; the answer ends it. Of oneself the connection tells. */
  watch(users: string[]): () => void {
    return this.#presence.watch(users.filter((user) => user !== this.userId));
  }

  presence(userId: string): Presence | null {
    if (userId === this.userId) return { user_id: userId, online: this.#connection.online, last_seen: null };
    return this.#presence.get(userId);
  }

  async direct(userId: string): Promise<ConversationView> {
    return this.#described(await this.rest.direct(userId));
  }

  async create(body: NewConversation, id?: string): Promise<ConversationView> {
    return this.#described(await this.rest.createConversation(body, id));
  }

  async leave(conversationId: string): Promise<void> {
    await this.rest.removeMember(conversationId, this.userId);
    this.#router.left(conversationId);
  }

  #described(conversation: Conversation): ConversationView {
    this.inbox.describe(conversation);
    this.events.emit('inbox', null);
    return this.inbox.get(conversation.id) as ConversationView;
  }

  #online(welcome: Welcome, resumed: boolean, refused: boolean): void {
    const over = refused || this.#wentBack;
    if (over) this.#startOver();
    this.#wentBack = false;
    this.#router.welcome(welcome, resumed, over);
    this.#sync.online();
    this.#presence.online();
    this.#views.online();
    this.#receipts.online();
    this.#outbox.online();
    this.#open.retryFailed();
    this.#loader.refresh();
  }

  /** What is known may be of another log, or of this one before it was restored from a copy: all is read anew. */
  #startOver(): void {
    const open = this.#open.ids();
    this.#positions.forget();
    this.#sync.doubt((id) => open.includes(id));
    this.#receipts.doubt();
    this.inbox.doubt();
    this.#loader.restart();
    this.#open.reloadAll();
    // What lies between is in the copies, and is not told one by one.
    for (const id of open) this.events.emit('reset', id);
    this.events.emit('inbox', null);
  }

  /** A message stands where this client holds another one: the log was restored from a copy. */
  #logWentBack(): void {
    if (this.#wentBack) return;
    this.#wentBack = true;
    this.#connection.startOver();
  }

  #offline(): void {
    this.#router.offline();
    this.#sync.offline();
    this.#presence.offline();
    this.#views.offline();
    this.#receipts.offline();
    this.#outbox.offline();
    this.#typing.offline();
  }

  #entry(entry: Entry, again: boolean): void {
    if (entry.message?.sender === this.userId && entry.kind === 'message') this.#outbox.ruled(entry.message);
    this.#router.applied(entry, again);
  }

  #sent(item: OutboxItem, sent: Sent): void {
    const message = { id: sent.id, conversation_id: item.conversation_id, seq: sent.seq, rev: sent.rev, sender: this.userId, text: item.text, created_at: sent.created_at, ...(item.metadata ? { metadata: item.metadata } : {}) };
    this.#router.ownMessage(message);
    this.events.emit('sent', { item, sent });
  }

  #reset(id: string): void {
    const head = this.#sync.cursor(id)?.head ?? 0;
    if (this.#open.get(id)) void this.#open.reload(id);
    else this.#sync.start(id, head);
    this.events.emit('reset', id);
  }

  #error(thrown: unknown): void {
    const error = asVerbatimError(thrown);
    // Ends of a session are the connection's state, not errors.
    if (error.code === 'disconnected' || error.code === 'no_answer') return;
    this.events.emit('error', error);
  }
}
