import { VerbatimClient, MemoryPersistence, type ClientOptions, type Entry, type Message, type SocketLike } from '../src/index.js';
import type { Clock } from '../src/clock.js';

/** Lets every promise that can go on do so. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}

/** Time stands still until it is moved. */
export class VirtualClock implements Clock {
  #now = Date.parse('2026-01-02T03:04:05.000Z');
  #timers = new Map<number, { at: number; run: () => void }>();
  #next = 1;
  #seed = 7;

  now = () => this.#now;
  random = () => {
    this.#seed = (this.#seed * 16_807) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  };
  setTimeout = (run: () => void, ms: number): unknown => {
    this.#timers.set(this.#next, { at: this.#now + Math.max(0, ms), run });
    return this.#next++;
  };
  clearTimeout = (timer: unknown): void => {
    this.#timers.delete(timer as number);
  };

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      let first: [number, { at: number; run: () => void }] | null = null;
      for (const timer of this.#timers) if (timer[1].at <= end && (!first || timer[1].at < first[1].at)) first = timer;
      if (!first) break;
      this.#timers.delete(first[0]);
      this.#now = Math.max(this.#now, first[1].at);
      first[1].run();
      await settle();
    }
    this.#now = end;
  }
}

export type AnyFrame = { type: string; ref?: string } & Record<string, any>;

export class FakeSocket implements SocketLike {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  frames: AnyFrame[] = [];
  closed: number | null = null;

  constructor(readonly server: FakeServer, readonly url: string, readonly protocol: string) {
    server.sockets.push(this);
    queueMicrotask(() => (server.refuseSockets ? this.drop(1006) : (this.onopen as (() => void) | null)?.()));
  }

  send(data: string): void {
    const frame = JSON.parse(data) as AnyFrame;
    this.frames.push(frame);
    queueMicrotask(() => this.closed === null && this.server.received(this, frame));
  }

  close(code?: number): void {
    this.closed ??= code ?? 1000;
  }

  push(frame: AnyFrame): void {
    if (this.closed === null) (this.onmessage as ((event: { data: string }) => void) | null)?.({ data: JSON.stringify(frame) });
  }

  /** The server's close. */
  drop(code: number): void {
    if (this.closed !== null) return;
    this.closed = code;
    (this.onclose as ((event: { code: number }) => void) | null)?.({ code });
  }

  of(type: string): AnyFrame[] {
    return this.frames.filter((frame) => frame.type === type);
  }
}

export interface Room {
  entries: Entry[];
  kind: 'direct' | 'group' | 'channel';
  peer?: string;
  members: string[];
  /** REST answers lag this many entries behind. */
  lag: number;
}

export interface RestCall {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: any;
}

/** Just enough of a server, in memory; tests override what they are about. */
export class FakeServer {
  sockets: FakeSocket[] = [];
  calls: RestCall[] = [];
  rooms = new Map<string, Room>();
  refuseSockets = false;
  welcomes = 0;
  /** Answers the call instead, when it returns something. */
  onCall: (call: RestCall) => { status: number; body?: unknown; headers?: Record<string, string> } | undefined = () => undefined;
  /** True: the test answers this frame itself. */
  onFrame: (socket: FakeSocket, frame: AnyFrame) => boolean = () => false;
  /** What welcomes tell. */
  time = () => this.clock.now();
  /** Whether a `since` is taken. */
  resumes = true;
  heads: (since: string | undefined) => AnyFrame[] = (since) => [this.allHeads(since)];
  /** What each welcome's position stands for: the entries of each room. */
  #positions = new Map<string, Map<string, number>>();

  constructor(readonly clock: VirtualClock, readonly me = 'ann') {}

  get socket(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }

  room(id: string, kind: Room['kind'] = 'group', members = ['ann', 'bob']): Room {
    const room: Room = { entries: [], kind, members, lag: 0, ...(kind === 'direct' ? { peer: 'bob' } : {}) };
    this.rooms.set(id, room);
    room.entries.push({ conversation_id: id, rev: 1, kind: 'conversation_created', at: this.#at(), actor: 'ann' });
    return room;
  }

  /** Appends a message; `push: false` is one the socket never brings. */
  say(id: string, sender: string, text: string, options: { push?: boolean; messageId?: string } = {}): Entry {
    const room = this.rooms.get(id) as Room;
    const rev = room.entries.length + 1;
    const message: Message = { id: options.messageId ?? `m-${id}-${rev}`, conversation_id: id, seq: this.messages(id).length + 1, rev, sender, text, created_at: this.#at() };
    const entry: Entry = { conversation_id: id, rev, kind: 'message', at: message.created_at, actor: sender, message };
    room.entries.push(entry);
    if (options.push !== false) this.socket.push({ type: 'entry', ...entry });
    return entry;
  }

  messages(id: string, lag = 0): Message[] {
    const entries = (this.rooms.get(id) as Room).entries;
    return entries.slice(0, entries.length - lag).flatMap((entry) => (entry.message ? [entry.message] : []));
  }

  /** All, or those that changed since a welcome. */
  allHeads(since?: string): AnyFrame {
    const before = since === undefined ? undefined : this.#positions.get(since);
    const items = [...this.rooms].filter(([id, room]) => room.entries.length > (before?.get(id) ?? 0)).map(([id, room]) => ({ conversation_id: id, head_rev: room.entries.length, head_seq: this.messages(id).length, unread: this.messages(id).length, read: 0 }));
    return { type: 'heads', items, more: false };
  }

  received(socket: FakeSocket, frame: AnyFrame): void {
    if (this.onFrame(socket, frame)) return;
    const { ref } = frame;
    switch (frame.type) {
      case 'hello':
        this.#positions.set(`p${this.welcomes + 1}`, new Map([...this.rooms].map(([id, room]) => [id, room.entries.length])));
        socket.push({ type: 'welcome', session_id: 's', user_id: this.me, device: 'default', position: `p${++this.welcomes}`, resumed: this.resumes && frame['since'] !== undefined, server_time: new Date(this.time()).toISOString(), limits: {}, ping_interval_ms: 30_000 });
        for (const heads of this.heads(this.resumes ? (frame['since'] as string | undefined) : undefined)) socket.push(heads);
        return;
      case 'send':
        return this.ack(socket, frame);
      case 'fetch': {
        const room = this.rooms.get(frame['conversation_id'] as string);
        if (!room) return socket.push({ type: 'error', ref, code: 'conversation_not_found', detail: 'no such conversation', retry: 'no' } as AnyFrame);
        const items = room.entries.filter((entry) => entry.rev > frame['after']);
        return socket.push({ type: 'entries', ref, conversation_id: frame['conversation_id'], items, next: null, head_rev: room.entries.length } as AnyFrame);
      }
      case 'view': {
        const id = frame['conversation_id'] as string;
        return socket.push({ type: 'ack', ref, head_rev: this.rooms.get(id)?.entries.length ?? 0, head_seq: this.messages(id).length } as AnyFrame);
      }
      case 'typing':
        return;
      default:
        return socket.push({ type: 'ack', ...(ref === undefined ? {} : { ref }) });
    }
  }

  /** Rules on a send as a server does: a repeated id is answered with what it was. */
  ack(socket: FakeSocket, frame: AnyFrame, push = true): void {
    const id = frame['conversation_id'] as string;
    const held = this.messages(id).find((message) => message.id === frame['id']);
    const message = held ?? (this.say(id, this.me, frame['text'] as string, { messageId: frame['id'] as string, push }).message as Message);
    socket.push({ type: 'ack', ref: frame.ref as string, conversation_id: id, id: message.id, seq: message.seq, rev: message.rev, created_at: message.created_at, position: `w${message.rev}`, ...(held ? { duplicate: true } : {}) });
  }

  fetch = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(String(input));
    const call: RestCall = { method: init.method ?? 'GET', path: url.pathname, query: url.searchParams, headers: (init.headers ?? {}) as Record<string, string>, body: init.body ? JSON.parse(String(init.body)) : undefined };
    this.calls.push(call);
    await Promise.resolve();
    const answer = this.onCall(call) ?? this.#answer(call);
    return new Response(answer.body === undefined ? null : JSON.stringify(answer.body), { status: answer.status, headers: answer.headers ?? {} });
  };

  count(method: string, path: string): number {
    return this.calls.filter((call) => call.method === method && call.path === path).length;
  }

  #answer(call: RestCall): { status: number; body?: unknown; headers?: Record<string, string> } {
    if (call.path === '/v1/ws/tickets') return { status: 201, body: { ticket: `t${this.calls.length}` } };
    if (call.path === '/v1/conversations') return { status: 200, body: { items: [...this.rooms.keys()].map((id) => this.conversation(id, true)), next: null } };
    const [, id, rest] = /^\/v1\/conversations\/([^/]+)(?:\/(.*))?$/.exec(call.path) ?? [];
    const room = id === undefined ? undefined : this.rooms.get(id);
    if (!room || id === undefined) return { status: 404, body: { code: 'conversation_not_found', detail: 'no such conversation', retry: 'no' } };
    if (rest === undefined) return { status: 200, body: this.conversation(id), headers: { 'verbatim-position': `r${room.entries.length}` } };
    if (rest === 'members') return { status: 200, body: { items: room.members.map((user) => ({ user_id: user, role: 'member', since: '2026-01-01T00:00:00.000Z' })), next: null } };
    if (rest === 'receipts') return { status: 200, body: { items: [], next: null } };
    const before = Number(call.query.get('before') ?? Infinity);
    const limit = Number(call.query.get('limit') ?? 50);
    const found = this.messages(id, room.lag).filter((message) => message.seq < before).reverse();
    const items = found.slice(0, limit);
    return { status: 200, body: { items, next: found.length > limit ? (items.at(-1) as Message).seq : null } };
  }

  conversation(id: string, inbox = false): Record<string, unknown> {
    const room = this.rooms.get(id) as Room;
    const visible = room.entries.slice(0, room.entries.length - room.lag);
    const base = { id, kind: room.kind, ...(room.peer ? { peer: room.peer } : { name: id }), history: 'all', posting: 'members', role: 'admin', member_count: room.members.length, head_seq: this.messages(id, room.lag).length, head_rev: visible.length, created_at: '2026-01-01T00:00:00.000Z' };
    if (!inbox) return base;
    const last = this.messages(id, room.lag).at(-1) ?? null;
    return { ...base, last_message: last, unread: base.head_seq, read: 0, delivered: 0, active_at: last?.created_at ?? base.created_at };
  }

  #at(): string {
    return new Date(this.clock.now()).toISOString();
  }
}

/** A token in the form of a JWT that ends in `seconds`. */
export function jwt(clock: Clock, seconds: number, sub = 'ann'): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub, exp: Math.floor(clock.now() / 1000) + seconds })}.c2ln`;
}

export interface Fixture {
  clock: VirtualClock;
  server: FakeServer;
  client: VerbatimClient;
  persistence: MemoryPersistence;
  errors: string[];
  /** A second client of the same user, as after a reload. */
  again(): VerbatimClient;
}

export function fixture(options: Partial<ClientOptions> = {}): Fixture {
  const clock = new VirtualClock();
  const server = new FakeServer(clock);
  const persistence = new MemoryPersistence();
  const errors: string[] = [];
  class Socket extends FakeSocket {
    constructor(url: string, protocol: string) {
      super(server, url, protocol);
    }
  }
  const again = () => {
    const client = new VerbatimClient({ baseUrl: 'http://server', userId: 'ann', token: () => jwt(clock, 3_600), WebSocket: Socket, fetch: server.fetch as typeof fetch, persistence, clock, ...options });
    client.events.on('error', (error) => errors.push(error.code));
    return client;
  };
  return { clock, server, persistence, errors, client: again(), again };
}

/** A fixture that is online. */
export async function online(options: Partial<ClientOptions> = {}, prepare: (server: FakeServer) => void = () => {}): Promise<Fixture> {
  const made = fixture(options);
  prepare(made.server);
  made.client.start();
  // Until the heads count as complete.
  await made.clock.advance(1_000);
  return made;
}

export function phase(client: VerbatimClient): string {
  return client.state.phase;
}

/** How long the client still stays away. */
export function waits(client: VerbatimClient, clock: Clock): number {
  const { state } = client;
  return state.phase === 'waiting' ? state.retryAt - clock.now() : 0;
}
