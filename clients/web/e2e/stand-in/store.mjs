// The state of the stand-in: a log of commands in one file, synced before it is answered, folded at start.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class Refused extends Error {
  constructor(status, code, detail) {
    super(detail);
    Object.assign(this, { status, code, retry: 'no' });
  }
}

const notFound = () => new Refused(404, 'conversation_not_found', 'there is no such conversation');

export class Store {
  conversations = new Map();
  position = 0;
  lastSeen = new Map();
  onEntry = () => {};
  onReceipt = () => {};
  #file;

  constructor(folder) {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'log.jsonl');
    const held = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    // A line cut short by a kill was never answered.
    for (const line of held.slice(0, -1)) this.#apply(JSON.parse(line));
    this.#file = openSync(path, 'a');
  }

  close() {
    closeSync(this.#file);
  }

  #commit(event) {
    const stamped = { ...event, at: new Date().toISOString() };
    writeSync(this.#file, `${JSON.stringify(stamped)}\n`);
    fsyncSync(this.#file);
    const entry = this.#apply(stamped);
    if (entry) this.onEntry(this.conversations.get(stamped.id), entry);
    return stamped;
  }

  #apply(event) {
    this.position++;
    if (event.type === 'create') {
      const members = new Map(event.members.map(({ user_id, role }) => [user_id, { user_id, role, since: event.at, from: 1 }]));
      this.conversations.set(event.id, { id: event.id, kind: event.kind, name: event.name, history: event.history, posting: event.posting, created_at: event.at, members, entries: [], messages: [], receipts: new Map(), changed: 0 });
      return this.#entry(event, { kind: 'conversation_created', conversation: { id: event.id, kind: event.kind, name: event.name }, members: [...members.values()].map(asMember) });
    }
    const conversation = this.conversations.get(event.id);
    if (event.type === 'receipt') {
      const mark = conversation.receipts.get(event.user) ?? { user_id: event.user, delivered: 0, read: 0, at: event.at };
      const read = Math.max(mark.read, event.read ?? 0);
      conversation.receipts.set(event.user, { user_id: event.user, read, delivered: Math.max(mark.delivered, event.delivered ?? 0, read), at: event.at });
      return null;
    }
    if (event.type === 'message') {
      const message = { id: event.message_id, conversation_id: event.id, seq: conversation.messages.length + 1, rev: conversation.entries.length + 1, sender: event.user, text: event.text, ...(event.metadata ? { metadata: event.metadata } : {}), created_at: event.at };
      conversation.messages.push(message);
      conversation.receipts.set(event.user, { user_id: event.user, delivered: message.seq, read: message.seq, at: event.at });
      return this.#entry(event, { kind: 'message', message });
    }
    if (event.type === 'remove') {
      const member = asMember(conversation.members.get(event.member));
      conversation.members.delete(event.member);
      const admins = [...conversation.members.values()].some((one) => one.role === 'admin');
      const next = admins ? undefined : conversation.members.values().next().value;
      if (next) next.role = 'admin';
      return this.#entry(event, { kind: 'member_removed', member, ...(next ? { promoted: next.user_id } : {}) });
    }
    const held = conversation.members.get(event.member);
    const rev = conversation.entries.length + 1;
    conversation.members.set(event.member, held ? { ...held, role: event.role } : { user_id: event.member, role: event.role, since: event.at, from: rev });
    if (!held) conversation.receipts.set(event.member, { user_id: event.member, delivered: conversation.messages.length, read: conversation.messages.length, at: event.at });
    return this.#entry(event, { kind: held ? 'role_changed' : 'member_added', member: asMember(conversation.members.get(event.member)) });
  }

  #entry(event, content) {
    const conversation = this.conversations.get(event.id);
    const entry = { conversation_id: event.id, rev: conversation.entries.length + 1, at: event.at, actor: event.user, ...content };
    conversation.entries.push(entry);
    conversation.changed = this.position;
    return entry;
  }

  of(user) {
    return [...this.conversations.values()].filter((conversation) => conversation.members.has(user));
  }

  member(user, id) {
    const conversation = this.conversations.get(id);
    if (!conversation?.members.has(user)) throw notFound();
    return conversation;
  }

  direct(user, peer) {
    if (user === peer) throw new Refused(422, 'invalid', 'a direct conversation needs someone else');
    const hash = createHash('sha256').update(JSON.stringify([user, peer].sort())).digest('hex');
    const id = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
    const created = !this.conversations.has(id);
    if (created) this.#commit({ type: 'create', user, id, kind: 'direct', history: 'all', posting: 'members', members: [user, peer].map((user_id) => ({ user_id, role: 'member' })) });
    return { created, conversation: this.conversations.get(id) };
  }

  create(user, id, body) {
    if (this.conversations.has(id)) return { created: false, conversation: this.member(user, id) };
    if (!body.name) throw new Refused(422, 'invalid', 'the name is missing');
    const members = [{ user_id: user, role: 'admin' }, ...(body.members ?? []).map((user_id) => ({ user_id, role: 'member' }))];
    this.#commit({ type: 'create', user, id, kind: body.kind, name: body.name, history: body.history ?? (body.kind === 'channel' ? 'all' : 'since_join'), posting: body.posting ?? 'members', members });
    return { created: true, conversation: this.conversations.get(id) };
  }

  putMember(user, id, member, role) {
    const conversation = this.#administered(user, id);
    const held = conversation.members.get(member);
    if (held?.role !== role) this.#commit({ type: 'put', user, id, member, role });
    return { created: !held, member: asMember(conversation.members.get(member)) };
  }

  remove(user, id, member) {
    const conversation = user === member ? this.member(user, id) : this.#administered(user, id);
    if (conversation.members.has(member)) this.#commit({ type: 'remove', user, id, member });
  }

  send(user, id, body) {
    const conversation = this.member(user, id);
    const held = conversation.messages.find((message) => message.id === body.id && message.sender === user);
    if (held) return { duplicate: true, message: held };
    if (conversation.posting === 'admins' && conversation.members.get(user).role !== 'admin') throw new Refused(403, 'forbidden', 'only admins post here');
    this.#commit({ type: 'message', user, id, message_id: body.id, text: body.text, metadata: body.metadata });
    return { duplicate: false, message: conversation.messages.at(-1) };
  }

  receipt(user, id, marks) {
    const conversation = this.member(user, id);
    const head = conversation.messages.length;
    if (Math.max(marks.delivered ?? 0, marks.read ?? 0) > head) throw new Refused(422, 'beyond_head', 'there is no such message yet');
    const before = conversation.receipts.get(user);
    if ((marks.read ?? 0) > (before?.read ?? 0) || (marks.delivered ?? 0) > (before?.delivered ?? 0)) {
      this.#commit({ type: 'receipt', user, id, ...marks });
      this.onReceipt(conversation, conversation.receipts.get(user));
    }
    return conversation.receipts.get(user) ?? { delivered: 0, read: 0 };
  }

  #administered(user, id) {
    const conversation = this.member(user, id);
    if (conversation.kind === 'direct') throw new Refused(409, 'direct_is_fixed', 'a direct conversation keeps its two members');
    if (conversation.members.get(user).role !== 'admin') throw new Refused(403, 'forbidden', 'only admins may do this');
    return conversation;
  }

  /** Entries that the user may see. */
  visible(user, conversation) {
    const from = conversation.history === 'all' ? 1 : conversation.members.get(user).from;
    return conversation.entries.filter((entry) => entry.rev >= from);
  }

  head(user, conversation) {
    const head_seq = conversation.messages.length;
    const read = conversation.receipts.get(user)?.read ?? 0;
    return { conversation_id: conversation.id, head_rev: conversation.entries.length, head_seq, unread: head_seq - read, read };
  }

  view(user, conversation) {
    const { id, kind, name, history, posting, created_at, members } = conversation;
    const peer = kind === 'direct' ? [...members.keys()].find((member) => member !== user) : undefined;
    return { id, kind, ...(name ? { name } : {}), ...(peer ? { peer } : {}), history, posting, role: members.get(user).role, member_count: members.size, head_seq: conversation.messages.length, head_rev: conversation.entries.length, created_at };
  }

  inboxItem(user, conversation) {
    const { unread, read } = this.head(user, conversation);
    const last = this.visible(user, conversation).findLast((entry) => entry.message)?.message ?? null;
    return { ...this.view(user, conversation), last_message: last, unread, read, delivered: conversation.receipts.get(user)?.delivered ?? 0, active_at: conversation.entries.at(-1).at };
  }
}

const asMember = ({ user_id, role, since }) => ({ user_id, role, since });
