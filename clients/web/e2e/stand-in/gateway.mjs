// The sockets of the stand-in.
import { randomUUID } from 'node:crypto';
import { Refused } from './store.mjs';
import { Socket } from './websocket.mjs';

export class Gateway {
  #sessions = new Set();

  constructor(store, tickets) {
    this.store = store;
    this.tickets = tickets;
    store.onEntry = (conversation, entry) => this.#entry(conversation, entry);
    store.onReceipt = (conversation, mark) => this.#each((session) => conversation.members.has(session.user) && session.socket.send({ type: 'receipt', conversation_id: conversation.id, ...mark }));
  }

  online(user) {
    return [...this.#sessions].some((session) => session.user === user);
  }

  accept(request, stream) {
    const session = { user: null, socket: new Socket(request, stream), watched: new Set(), viewed: new Set() };
    session.socket.onText = (text) => {
      const frame = JSON.parse(text);
      try {
        this.#frame(session, frame);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        session.socket.send({ type: 'error', ref: frame.ref, code: error.code, detail: error.message, retry: error.retry });
      }
    };
    session.socket.onClose = () => {
      if (!this.#sessions.delete(session) || this.online(session.user)) return;
      this.store.lastSeen.set(session.user, new Date().toISOString());
      this.#tellPresence(session.user);
    };
  }

  closeAll() {
    this.#each(({ socket }) => {
      socket.send({ type: 'bye', code: 1012, detail: 'the server restarts', reconnect_after_ms: 500 + Math.round(Math.random() * 500) });
      socket.close(1012);
    });
  }

  #each(run) {
    for (const session of this.#sessions) run(session);
  }

  #frame(session, frame) {
    const { store } = this;
    const { socket, user } = session;
    const id = frame.conversation_id;
    const ack = (more = {}) => socket.send({ type: 'ack', ref: frame.ref, ...more });
    if (user === null) return this.#hello(session, frame);
    switch (frame.type) {
      case 'send': {
        const { message, duplicate } = store.send(user, id, frame);
        return ack({ conversation_id: id, id: message.id, seq: message.seq, rev: message.rev, created_at: message.created_at, position: `p${store.position}`, ...(duplicate ? { duplicate } : {}) });
      }
      case 'fetch': {
        const conversation = store.member(user, id);
        const all = store.visible(user, conversation).filter((entry) => entry.rev > frame.after);
        const items = all.slice(0, 100);
        return socket.send({ type: 'entries', ref: frame.ref, conversation_id: id, items, next: all.length > items.length ? items.at(-1).rev : null, head_rev: conversation.entries.length });
      }
      case 'receipt': {
        const { delivered, read } = store.receipt(user, id, frame);
        return ack({ conversation_id: id, delivered, read, position: `p${store.position}` });
      }
      case 'typing': {
        const { members } = store.member(user, id);
        return this.#each((other) => other.user !== user && members.has(other.user) && other.socket.send({ type: 'typing', conversation_id: id, user_id: user }));
      }
      case 'watch':
        for (const watched of frame.users) {
          session.watched.add(watched);
          socket.send(this.presence(user, watched));
        }
        return ack();
      case 'unwatch':
        for (const watched of frame.users) session.watched.delete(watched);
        return ack();
      case 'view': {
        const head = store.head(user, store.member(user, id));
        session.viewed.add(id);
        return ack({ conversation_id: id, head_rev: head.head_rev, head_seq: head.head_seq });
      }
      case 'unview':
        session.viewed.delete(id);
        return ack();
      case 'renew':
        return ack();
      default:
        throw new Refused(422, 'invalid', `there is no frame ${frame.type}`);
    }
  }

  #hello(session, frame) {
    const { store } = this;
    const user = this.tickets.get(frame.ticket);
    if (frame.type !== 'hello' || !user) return session.socket.close(4001);
    this.tickets.delete(frame.ticket);
    const wasOnline = this.online(user);
    session.user = user;
    this.#sessions.add(session);
    session.socket.send({ type: 'welcome', session_id: randomUUID(), user_id: user, device: 'default', position: `p${store.position}`, server_time: new Date().toISOString(), limits: {}, ping_interval_ms: 30_000 });
    const since = Number(frame.since?.slice(1) ?? -1);
    const items = store.of(user).filter((conversation) => conversation.changed > since).sort((a, b) => b.changed - a.changed).map((conversation) => store.head(user, conversation));
    session.socket.send({ type: 'heads', items: items.slice(0, 500), more: items.length > 500 });
    if (!wasOnline) this.#tellPresence(user);
  }

  #entry(conversation, entry) {
    const removed = entry.kind === 'member_removed' ? entry.member.user_id : null;
    this.#each((session) => {
      if (session.user === removed) return session.socket.send({ type: 'left', conversation_id: conversation.id });
      if (!conversation.members.has(session.user)) return;
      if (conversation.kind !== 'channel' || session.viewed.has(conversation.id)) return session.socket.send({ type: 'entry', ...entry });
      session.socket.send({ type: 'unread', conversation_id: conversation.id, head_rev: conversation.entries.length, head_seq: conversation.messages.length });
    });
  }

  presence(viewer, user) {
    const shared = this.store.of(viewer).some((conversation) => conversation.members.has(user));
    return { type: 'presence', user_id: user, online: shared && this.online(user), last_seen: shared ? (this.store.lastSeen.get(user) ?? null) : null };
  }

  #tellPresence(user) {
    this.#each((session) => session.watched.has(user) && session.socket.send(this.presence(session.user, user)));
  }
}
