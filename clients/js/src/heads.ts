import type { Clock } from './clock.js';
import type { Frame, Head, Welcome } from './types.js';

export interface HeadsOptions {
  clock: Clock;
  onHead(head: Head): void;
  /**
   * Not every conversation that changed was named: the rest is in the inbox, and copies are checked. Of
   * `unnamed`, which were known before, some may not be the user's any more.
   */
  onPartial(named: ReadonlySet<string>, unnamed: readonly string[]): void;
  /** Known before, but not among all of the user's conversations. */
  onGone(conversationId: string): void;
  /** All before this position is known. */
  onCovered(position: string): void;
}

/** `heads` come in several frames, with `left` after them, and none says that it is the last: time does. */
const SETTLE_MS = 1_000;
/** After a full frame another one comes; it may take as long as a network takes. */
const NEXT_FRAME_MS = 60_000;
const FULL_FRAME = 200;
const ALL_HEADS = 500;

/**
 * Follows the `heads` of one session and decides from which position the next one may resume: from this
 * welcome's once all that belongs to it was received. Until then a lost connection resumes from before.
 */
export class Heads {
  #position: string | null = null;
  /** Those known at a welcome that names all, and not named yet; null where only changes are named. */
  #unnamed: Set<string> | null = null;
  #named = new Set<string>();
  /** Of the last frame. */
  #behind = false;
  #partial = false;
  #full = false;
  #timer: unknown;

  constructor(private readonly options: HeadsOptions) {}

  /** `resumed`: heads name only what changed since the last position. */
  welcome(welcome: Welcome, resumed: boolean, known: Iterable<string>): void {
    this.#position = welcome.position;
    this.#unnamed = resumed ? null : new Set(known);
    this.#named.clear();
  }

  offline(): void {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#position = null;
    this.#unnamed = null;
    this.#named.clear();
  }

  /** A live frame is about this conversation, so it is one of the user's. */
  name(conversationId: string): void {
    this.#unnamed?.delete(conversationId);
  }

  /** What was left is named after the heads, and belongs to them. */
  left(): void {
    if (this.#timer !== undefined) this.#wait();
  }

  frame(frame: Frame): void {
    const items = (frame['items'] as Head[] | undefined) ?? [];
    this.#full = items.length >= FULL_FRAME && this.#named.size + items.length < ALL_HEADS;
    for (const head of items) {
      // Bounded by the interface: heads name 500 in all.
      this.#named.add(head.conversation_id);
      this.name(head.conversation_id);
      this.options.onHead(head);
    }
    this.#behind = Boolean(frame['behind']);
    this.#partial = Boolean(frame['more']);
    this.#wait();
  }

  #wait(): void {
    this.options.clock.clearTimeout(this.#timer);
    this.#timer = this.options.clock.setTimeout(() => this.#settle(), this.#full ? NEXT_FRAME_MS : SETTLE_MS);
  }

  #settle(): void {
    this.#timer = undefined;
    const [behind, partial] = [this.#behind, this.#partial];
    // Heads of partitions that lag follow: until then nobody knows what is gone, and nothing is covered.
    const unnamed = behind ? [] : [...(this.#unnamed ?? [])];
    if (!behind) this.#unnamed = null;
    if (partial) this.options.onPartial(this.#named, unnamed);
    else for (const id of unnamed) this.options.onGone(id);
    if (!behind && this.#position !== null) this.options.onCovered(this.#position);
    this.#named.clear();
  }
}
