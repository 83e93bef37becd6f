import { backoff, type Clock } from './clock.js';
import { asVerbatimError, isTransient } from './errors.js';

interface Marks {
  /** What the server confirmed. */
  delivered: number;
  read: number;
  /** What is to be told. */
  wantDelivered: number;
  wantRead: number;
  inFlight: boolean;
  attempt: number;
  timer: unknown;
}

export interface ReceiptsOptions {
  clock: Clock;
  send(conversationId: string, marks: { delivered?: number; read?: number }): Promise<unknown>;
}

/** Gathers what comes close together; also the least time between two receipts of a conversation. */
const COALESCE_MS = 150;
const MAX_CONVERSATIONS = 2_000;

/** Tells the server what was delivered and read: watermarks, the highest alone, repeated until confirmed. */
export class ReceiptSender {
  #marks = new Map<string, Marks>();
  #online = false;

  constructor(private readonly options: ReceiptsOptions) {}

  delivered(conversationId: string, seq: number): void {
    const marks = this.#of(conversationId);
    marks.wantDelivered = Math.max(marks.wantDelivered, seq);
    this.#schedule(conversationId, marks);
  }

  read(conversationId: string, seq: number): void {
    const marks = this.#of(conversationId);
    marks.wantRead = Math.max(marks.wantRead, seq);
    this.#schedule(conversationId, marks);
  }

  /** What the server already knows, by an inbox item, a receipt of this user, or its own message. */
  known(conversationId: string, marks: { delivered?: number | undefined; read?: number | undefined }): void {
    const known = this.#of(conversationId);
    known.read = Math.max(known.read, marks.read ?? 0);
    // Read raises delivered.
    known.delivered = Math.max(known.delivered, marks.delivered ?? 0, known.read);
  }

  online(): void {
    this.#online = true;
    for (const [id, marks] of this.#marks) this.#schedule(id, marks);
  }

  offline(): void {
    this.#online = false;
    for (const marks of this.#marks.values()) {
      this.options.clock.clearTimeout(marks.timer);
      marks.timer = undefined;
      marks.attempt = 0;
    }
  }

  /** What the server was known to know may be of another log; what it has yet to be told stays. */
  doubt(): void {
    for (const marks of this.#marks.values()) {
      const told = { delivered: marks.wantDelivered <= marks.delivered, read: marks.wantRead <= marks.read };
      if (told.delivered) marks.wantDelivered = 0;
      if (told.read) marks.wantRead = 0;
      [marks.delivered, marks.read] = [0, 0];
    }
  }

  forget(conversationId: string): void {
    const marks = this.#marks.get(conversationId);
    if (marks) this.options.clock.clearTimeout(marks.timer);
    this.#marks.delete(conversationId);
  }

  #of(conversationId: string): Marks {
    let marks = this.#marks.get(conversationId);
    if (marks) return marks;
    if (this.#marks.size >= MAX_CONVERSATIONS) {
      // What is confirmed may be forgotten: telling it twice changes nothing.
      for (const [id, other] of this.#marks) if (!due(other) && !other.inFlight) { this.#marks.delete(id); break; }
    }
    marks = { delivered: 0, read: 0, wantDelivered: 0, wantRead: 0, inFlight: false, attempt: 0, timer: undefined };
    this.#marks.set(conversationId, marks);
    return marks;
  }

  #schedule(id: string, marks: Marks, ms = COALESCE_MS): void {
    if (!this.#online || marks.inFlight || marks.timer !== undefined || !due(marks)) return;
    marks.timer = this.options.clock.setTimeout(() => {
      marks.timer = undefined;
      void this.#flush(id, marks);
    }, ms);
  }

  async #flush(id: string, marks: Marks): Promise<void> {
    const frame = due(marks);
    if (!frame) return;
    marks.inFlight = true;
    let pause = COALESCE_MS;
    try {
      await this.options.send(id, frame);
      this.known(id, frame);
      marks.attempt = 0;
    } catch (thrown) {
      const error = asVerbatimError(thrown);
      if (isTransient(error)) pause = Math.max(error.retryAfterMs ?? 0, backoff(this.options.clock, marks.attempt++, 500, 30_000));
      else {
        // Ruled out (no member any more, or above the head the server knows): wanted no longer.
        marks.wantDelivered = marks.delivered;
        marks.wantRead = marks.read;
      }
    }
    marks.inFlight = false;
    if (this.#marks.get(id) === marks) this.#schedule(id, marks, pause);
  }
}

function due(marks: Marks): { delivered?: number; read?: number } | null {
  const read = marks.wantRead > marks.read;
  const delivered = marks.wantDelivered > Math.max(marks.delivered, marks.wantRead);
  if (!read && !delivered) return null;
  return { ...(delivered ? { delivered: marks.wantDelivered } : {}), ...(read ? { read: marks.wantRead } : {}) };
}
