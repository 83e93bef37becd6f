import { computed, effect, signal, untracked } from '@preact/signals';
import { StoragePersistence, VerbatimClient, type ConnectionState, type ConversationView } from '@verbatim/client';
import { Drafts } from './drafts';
import { titleOf } from './format';
import { goToList, route } from './route';
import { provideToken, signOut, type Session } from './session';
import { storage } from './storage';

/** Beyond these the list shows no presence; the socket's bound is 500. */
const MAX_WATCHED_PEERS = 100;
const NOTICE_MS = 6_000;

/** The client's state as signals, and what the page adds to it. One for each sign-in. */
export class Model {
  readonly client: VerbatimClient;
  readonly drafts: Drafts;
  readonly connection = signal<ConnectionState>({ phase: 'stopped' });
  readonly conversations = signal<ConversationView[]>([]);
  readonly inboxState = signal<'loading' | 'ready' | 'failed'>('loading');
  readonly totalUnread = signal(0);
  /** Counters: they change when what the client tells of the open conversation, or of users, does. */
  readonly copyChanged = signal(0);
  readonly outboxChanged = signal(0);
  readonly typingChanged = signal(0);
  readonly presenceChanged = signal(0);
  readonly notice = signal<string | null>(null);
  /** For a screen reader. */
  readonly announcement = signal('');
  readonly current = computed(() => this.conversations.value.find((view) => view.id === route.value.conversation) ?? null);
  #endings: Array<() => void> = [];
  #noticeTimer = 0;
  #leaving: string | null = null;

  constructor(readonly session: Session) {
    this.client = new VerbatimClient({
      userId: session.userId,
      token: provideToken,
      persistence: new StoragePersistence(storage('localStorage')),
    });
    this.drafts = new Drafts(session.userId, storage('localStorage'));
    this.#listen();
  }

  get me(): string {
    return this.session.userId;
  }

  start(): void {
    this.client.start();
    this.loadInbox();
    const wake = () => document.visibilityState === 'visible' && this.client.checkConnection();
    window.addEventListener('online', wake);
    document.addEventListener('visibilitychange', wake);
    this.#endings.push(
      () => window.removeEventListener('online', wake),
      () => document.removeEventListener('visibilitychange', wake),
      effect(() => {
        const id = route.value.conversation;
        // Opening changes signals that it also reads.
        untracked(() => this.#open(id));
      }),
      effect(() => this.#watchPeers()),
      effect(() => this.#title()),
    );
  }

  stop(): void {
    for (const end of this.#endings) end();
    this.client.stop();
    document.title = 'Verbatim';
  }

  loadInbox(): void {
    this.inboxState.value = 'loading';
    this.client.loadInbox().then(
      () => (this.inboxState.value = 'ready'),
      () => (this.inboxState.value = this.conversations.value.length > 0 ? 'ready' : 'failed'),
    );
  }

  tell(text: string): void {
    this.notice.value = text;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = window.setTimeout(() => (this.notice.value = null), NOTICE_MS);
  }

  /** True when it is in the outbox; what can't be sent is told and stays in the draft. */
  send(conversationId: string, text: string): boolean {
    try {
      this.client.send(conversationId, text);
      return true;
    } catch (error) {
      this.tell((error as Error).message);
      return false;
    }
  }

  async leave(conversationId: string): Promise<void> {
    this.#leaving = conversationId;
    await this.client.leave(conversationId);
  }

  #listen(): void {
    const { events } = this.client;
    const open = () => route.value.conversation;
    events.on('state', (state) => {
      this.connection.value = state;
      if (state.phase === 'online' && this.inboxState.value === 'failed') this.loadInbox();
      if (state.phase === 'signed_out') signOut(state.reason);
    });
    events.on('inbox', () => {
      this.conversations.value = this.client.inbox.list();
      this.totalUnread.value = this.client.inbox.totalUnread();
    });
    events.on('conversation', (id) => id === open() && this.copyChanged.value++);
    events.on('outbox', () => this.outboxChanged.value++);
    events.on('typing', () => this.typingChanged.value++);
    events.on('presence', () => this.presenceChanged.value++);
    events.on('left', (id) => {
      if (id !== open()) return;
      // Who leaves knows.
      if (id !== this.#leaving) this.tell('You are no longer a member of this conversation.');
      this.#leaving = null;
      goToList();
    });
    events.on('entry', (entry) => {
      if (entry.kind === 'message' && entry.message && entry.message.sender !== this.me) this.announcement.value = `${entry.message.sender}: ${entry.message.text.slice(0, 300)}`;
    });
    events.on('error', (error) => {
      // A conversation that is not there is told where it would be; the rest is for everyone.
      if (error.code !== 'conversation_not_found' && error.code !== 'network') this.tell(error.message);
    });
  }

  #open(id: string | null): void {
    if (id === null) return;
    this.copyChanged.value++;
    void this.client.open(id).catch(() => {});
  }

  /** The other ones of the direct conversations at the top of the list. */
  #watched = '';
  #unwatch = () => {};
  #watchPeers(): void {
    const peers = this.conversations.value.flatMap((view) => (view.peer ? [view.peer] : [])).slice(0, MAX_WATCHED_PEERS);
    const key = [...peers].sort().join(' ');
    if (key === this.#watched) return;
    this.#watched = key;
    const before = this.#unwatch;
    this.#unwatch = this.client.watch(peers);
    // Only now, so that whoever is in both is not asked for anew.
    before();
  }

  #title(): void {
    const unread = this.totalUnread.value;
    const name = this.current.value ? `${titleOf(this.current.value)} – Verbatim` : 'Verbatim';
    document.title = unread > 0 ? `(${unread > 99 ? '99+' : unread}) ${name}` : name;
  }
}

/** The time, for texts as "last seen 3 min ago"; moves twice a minute. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 30_000);
