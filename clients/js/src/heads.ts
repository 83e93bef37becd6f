import type { Clock } from './clock.js';
import type { Frame, Head, Welcome } from './types.js';

export interface HeadsOptions {
  clock: Clock;
  onHead(head: Head): void;
  /** Not every conversation that changed was named: the rest is in the inbox, and copies are checked. */
  onPartial(named: ReadonlySet<string>): void;
  /** Known before, but not among all of the user's conversations. */
  onGone(conversationId: string): void;
  /** All before this position is known. */
  onCovered(position: string): void;
}

/** `heads` come in several frames, with `left` after them, and none says that it is the last: time does. */
const SETTLE_MS = 1_000;

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
    for (const head of (frame['items'] as Head[] | undefined) ?? []) {
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
    this.#timer = this.options.clock.setTimeout(() => this.#settle(), SETTLE_MS);
  }

  #settle(): void {
    this.#timer = undefined;
    const [behind, partial] = [this.#behind, this.#partial];
    const gone = behind || partial ? [] : [...(this.#unnamed ?? [])];
    // Heads that follow for a partition that was behind say nothing of the others.
    this.#unnamed = null;
    for (const id of gone) this.options.onGone(id);
    if (partial) this.options.onPartial(this.#named);
    // A partition that was behind is not covered by the welcome's position until its heads have followed.
    if (!behind && this.#position !== null) this.options.onCovered(this.#position);
    this.#named.clear();
  }
}
