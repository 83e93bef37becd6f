import type { Http } from './http.js';
import type { Ids } from './ids.js';
import type { Conversation, Entry, InboxItem, Member, Message, Metadata, NewConversation, Page, Presence, Receipt, Role } from './types.js';

const part = encodeURIComponent;

/** One method per route of the interface, commands first. */
export class Rest {
  constructor(
    private readonly http: Http,
    private readonly ids: Ids,
  ) {}

  /** Opens the direct conversation with `userId`, or answers the one there is. */
  async direct(userId: string): Promise<Conversation> {
    return (await this.http.call<Conversation>({ method: 'PUT', path: `/v1/direct/${part(userId)}`, idempotencyKey: this.ids.next() })).body;
  }

  /** Creates a group or a channel; `id` may be given so that the caller can repeat the whole call. */
  async createConversation(body: NewConversation, id: string = this.ids.next()): Promise<Conversation> {
    return (await this.http.call<Conversation>({ method: 'PUT', path: `/v1/conversations/${part(id)}`, body, scope: id, idempotencyKey: this.ids.next() })).body;
  }

  /** Adds a member or changes its role. */
  async putMember(conversationId: string, userId: string, role: Role = 'member'): Promise<Member> {
    const path = `/v1/conversations/${part(conversationId)}/members/${part(userId)}`;
    return (await this.http.call<Member>({ method: 'PUT', path, body: { role }, scope: conversationId, idempotencyKey: this.ids.next() })).body;
  }

  /** Removes a member; of oneself: leaves. */
  async removeMember(conversationId: string, userId: string): Promise<void> {
    const path = `/v1/conversations/${part(conversationId)}/members/${part(userId)}`;
    await this.http.call({ method: 'DELETE', path, scope: conversationId, idempotencyKey: this.ids.next() });
  }

  async postMessage(conversationId: string, message: { id: string; text: string; metadata?: Metadata }): Promise<Message> {
    const path = `/v1/conversations/${part(conversationId)}/messages`;
    return (await this.http.call<Message>({ method: 'POST', path, body: message, scope: conversationId })).body;
  }

  async putReceipts(conversationId: string, marks: { delivered?: number; read?: number }): Promise<{ delivered: number; read: number }> {
    const path = `/v1/conversations/${part(conversationId)}/receipts`;
    return (await this.http.call<{ delivered: number; read: number }>({ method: 'PUT', path, body: marks, scope: conversationId, idempotencyKey: this.ids.next() })).body;
  }

  /** The caller's inbox, latest first. */
  async conversations(page: { cursor?: string; limit?: number } = {}): Promise<Page<InboxItem>> {
    return (await this.http.call<Page<InboxItem>>({ method: 'GET', path: '/v1/conversations', query: page })).body;
  }

  async conversation(conversationId: string): Promise<Conversation> {
    return (await this.http.call<Conversation>({ method: 'GET', path: `/v1/conversations/${part(conversationId)}`, scope: conversationId })).body;
  }

  async members(conversationId: string, page: { cursor?: string } = {}): Promise<Page<Member>> {
    return (await this.http.call<Page<Member>>({ method: 'GET', path: `/v1/conversations/${part(conversationId)}/members`, query: page, scope: conversationId })).body;
  }

  /** Newest first with `before` or without either, oldest first with `after`. */
  async messages(conversationId: string, page: { before?: number; after?: number; limit?: number } = {}): Promise<Page<Message, number>> {
    return (await this.http.call<Page<Message, number>>({ method: 'GET', path: `/v1/conversations/${part(conversationId)}/messages`, query: page, scope: conversationId })).body;
  }

  async entries(conversationId: string, page: { after?: number; limit?: number } = {}): Promise<Page<Entry, number>> {
    return (await this.http.call<Page<Entry, number>>({ method: 'GET', path: `/v1/conversations/${part(conversationId)}/entries`, query: page, scope: conversationId })).body;
  }

  async receipts(conversationId: string, page: { cursor?: string } = {}): Promise<Page<Receipt>> {
    return (await this.http.call<Page<Receipt>>({ method: 'GET', path: `/v1/conversations/${part(conversationId)}/receipts`, query: page, scope: conversationId })).body;
  }

  async unread(): Promise<{ conversations: number; messages: number }> {
    return (await this.http.call<{ conversations: number; messages: number }>({ method: 'GET', path: '/v1/unread' })).body;
  }

  /** Of up to 100 users. */
  async presence(users: string[]): Promise<Presence[]> {
    return (await this.http.call<Page<Presence>>({ method: 'GET', path: '/v1/presence', query: { user: users } })).body.items;
  }

  /** A single-use ticket for the socket, good for 30 s. The connection repeats it on its own schedule. */
  async ticket(): Promise<string> {
    return (await this.http.call<{ ticket: string }>({ method: 'POST', path: '/v1/ws/tickets', repeat: false })).body.ticket;
  }

  async live(): Promise<boolean> {
    return this.#healthy('/v1/health/live');
  }

  async ready(): Promise<boolean> {
    return this.#healthy('/v1/health/ready');
  }

  /** Development servers only: a token for any user, without a password. */
  async devToken(userId: string, device?: string): Promise<{ token: string; expires_at: string }> {
    const body = { user_id: userId, ...(device === undefined ? {} : { device }) };
    return (await this.http.call<{ token: string; expires_at: string }>({ method: 'POST', path: '/v1/dev/tokens', body, auth: false })).body;
  }

  async #healthy(path: string): Promise<boolean> {
    try {
      await this.http.call({ method: 'GET', path, auth: false, repeat: false });
      return true;
    } catch {
      return false;
    }
  }
}
