import type { Clock, ServerTime } from './clock.js';

/**
 * An id made before the server's time was known may lie in the future by the error of the local clock.
 * Monotony is given up for it beyond this bound, or every later id would inherit the error.
 */
const LONGEST_LEAD_MS = 60_000;

/** Makes UUIDv7 (RFC 9562, section 5.7; the counter is method 1 of section 6.2), each greater than the one before. */
export class Ids {
  #lastMs = 0;
  #counter = 0;

  constructor(
    private readonly time: ServerTime,
    private readonly clock: Clock,
  ) {}

  next(): string {
    const now = Math.max(0, Math.floor(this.time.now()));
    if (now > this.#lastMs || this.#lastMs > now + LONGEST_LEAD_MS) {
      this.#lastMs = now;
      // The upper half is left free, so that many ids fit in one millisecond.
      this.#counter = this.#random(0x800);
    } else if (++this.#counter > 0xfff) {
      this.#lastMs += 1;
      this.#counter = 0;
    }
    const time = this.#lastMs.toString(16).padStart(12, '0');
    const counter = (0x7000 | this.#counter).toString(16);
    const variant = (0x8000 | this.#random(0x4000)).toString(16);
    const tail = [0, 0, 0].map(() => this.#random(0x10000).toString(16).padStart(4, '0')).join('');
    return `${time.slice(0, 8)}-${time.slice(8)}-${counter}-${variant}-${tail}`;
  }

  #random(below: number): number {
    return Math.floor(this.clock.random() * below);
  }
}
