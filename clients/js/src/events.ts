import type { ConnectionState } from './connection.js';
import type { VerbatimError } from './errors.js';
import type { Sent } from './outbox.js';
import type { OutboxItem } from './outbox-store.js';
import type { Entry, Receipt } from './types.js';

/** What a client tells. Most events only say that something changed; the state is read from the client. */
export interface ClientEvents {
  state: ConnectionState;
  /** The list of conversations, one of its summaries, or the total of unread messages. */
  inbox: null;
  /** Messages, members or receipts of an opened conversation. */
  conversation: string;
  /** Queued, sending, failed or gone items of this conversation. */
  outbox: string;
  sent: { item: OutboxItem; sent: Sent };
  /** Each entry of a followed conversation once and in order; of others, each that is pushed. */
  entry: Entry;
  receipt: Receipt & { conversation_id: string };
  typing: string;
  /** A watched user's. */
  presence: string;
  /** This user is no longer a member. */
  left: string;
  /**
   * A followed conversation missed more than `maxGap` revs, or the server no longer knows where this client was,
   * and goes on from its head: what lies between is in the copy, and is not told entry by entry.
   */
  reset: string;
  /** What has no other place to be seen. */
  error: VerbatimError;
}
