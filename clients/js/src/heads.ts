import type { Clock } from './clock.js';
import type { Frame, Head, Welcome } from './types.js';

export interface HeadsOptions {
  clock: Clock;
  onHead(head: Head): void;
  /** Not every conversation that changed was named: the rest is in the inbox, and copies are checked. */
  onPartial(named: ReadonlySet<string>): void;
  /** All before this position is known. */
  onCovered(position: string): void;
}

/** How long after the last `heads` frame with `more` it counts as the last one. */
const SETTLE_MS = 1_000;
/** The interface's bound on heads in all. */
const MAX_NAMED = 500;

/**
 * Follows the `heads` of one session and decides from which position the next session may resume. A
 * partition that was `behind` is not covered by the welcome's position until its heads have followed.
 */
export class Heads {
  #position: string | null = null;
  #named = new Set<string>();
  #timer: unknown;

  constructor(private readonly options: HeadsOptions) {}

  welcome(welcome: Welcome): void {
    this.#position = welcome.position;
    this.#named.clear();
  }

  offline(): void {
    this.options.clock.clearTimeout(this.#timer);
    this.#position = null;
  }

  frame(frame: Frame): void {
    for (const head of (frame['items'] as Head[] | undefined) ?? []) {
      if (this.#named.size < 2 * MAX_NAMED) this.#named.add(head.conversation_id);
      this.options.onHead(head);
    }
    this.options.clock.clearTimeout(this.#timer);
    const behind = isBehind(frame['behind']);
    if (!frame['more']) this.#settle(behind, false);
    else if (this.#named.size >= MAX_NAMED) this.#settle(behind, true);
    // `more` says either that another frame follows or that the rest is in the inbox: time tells.
    else this.#timer = this.options.clock.setTimeout(() => this.#settle(behind, true), SETTLE_MS);
  }

  #settle(behind: boolean, partial: boolean): void {
    if (partial) this.options.onPartial(this.#named);
    if (!behind && this.#position !== null) this.options.onCovered(this.#position);
  }
}

/** The frame may name the partitions or only say that there are some. */
function isBehind(behind: unknown): boolean {
  return Array.isArray(behind) ? behind.length > 0 : Boolean(behind);
}
