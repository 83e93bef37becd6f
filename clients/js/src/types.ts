/** The wire's own shapes (docs: the public interface, version 1). Times are RFC 3339 in UTC. */

export type ConversationKind = 'direct' | 'group' | 'channel';
export type Role = 'member' | 'admin';
export type Metadata = Record<string, unknown>;

export interface Conversation {
  id: string;
  kind: ConversationKind;
  name?: string;
  /** The other one of a direct conversation. */
  peer?: string;
  history: 'since_join' | 'all';
  posting: 'members' | 'admins';
  role: Role;
  member_count: number;
  head_seq: number;
  head_rev: number;
  created_at: string;
}

export interface Message {
  id: string;
  conversation_id: string;
  seq: number;
  /** The rev of its last change; of two copies the higher is the newer. */
  rev: number;
  sender: string;
  /** Empty where the body was removed. */
  text: string;
  metadata?: Metadata;
  created_at: string;
  edited_at?: string;
  deleted_at?: string;
}

export interface Member {
  user_id: string;
  role: Role;
  since: string;
}

export interface InboxItem extends Conversation {
  last_message: Message | null;
  unread: number;
  read: number;
  delivered: number;
  active_at: string;
}

/** One entry of a conversation. Kinds this version does not know are passed on as they came. */
export interface Entry {
  conversation_id: string;
  rev: number;
  kind: string;
  at?: string;
  actor?: string;
  message?: Message;
  member?: Member;
  /** On `member_removed`, when the last admin left: who became one. */
  promoted?: string | null;
  /** On `conversation_created`: the same for every member, so without `role` and `peer`. */
  conversation?: Partial<Conversation>;
  members?: Member[];
}

export interface Receipt {
  user_id: string;
  delivered: number;
  read: number;
  at: string | null;
}

export interface Presence {
  user_id: string;
  online: boolean;
  last_seen: string | null;
}

export interface Page<T, Next = string> {
  items: T[];
  next: Next | null;
}

export interface Head {
  conversation_id: string;
  head_rev: number;
  head_seq: number;
  unread?: number;
  read?: number;
}

export interface NewConversation {
  kind: 'group' | 'channel';
  name: string;
  members?: string[];
  history?: 'since_join' | 'all';
  posting?: 'members' | 'admins';
}

/** What the server says first; `limits` is passed on as it came. */
export interface Welcome {
  session_id: string;
  user_id: string;
  device: string;
  position: string;
  /** Whether `since` was used: heads are then what changed after it. */
  resumed: boolean;
  server_time: string;
  limits?: Record<string, unknown>;
  ping_interval_ms?: number;
}

export type Frame = { type: string; ref?: string } & Record<string, unknown>;
