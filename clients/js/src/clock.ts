/** Time and randomness as parameters, so that tests own both. */
export interface Clock {
  /** Milliseconds since the epoch, by the local clock as it stood at first: a correction of it is no jump here. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The longest delay a 32-bit timer takes; a longer one would fire at once. */
export const LONGEST_TIMER_MS = 0x7fffffff;

export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  setTimeout: (run, ms) => globalThis.setTimeout(run, Math.min(Math.max(0, ms), LONGEST_TIMER_MS)),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as ReturnType<typeof globalThis.setTimeout>),
  random: () => {
    // Ids are made from it, and Node 18 has no global crypto.
    const source = (globalThis as { crypto?: Crypto }).crypto;
    return source ? (source.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32 : Math.random();
  },
};

/**
 * The server's time, as far as it is known: the local clock and an offset learnt from each `welcome`.
 * Message ids are made from it, because a device whose clock is wrong would otherwise make ids that the
 * server refuses (`stale_id`, `future_id`).
 */
export class ServerTime {
  #offset = 0;
  #known = false;

  constructor(private readonly clock: Clock) {}

  /** True once a server has told its time. */
  get known(): boolean {
    return this.#known;
  }

  learn(serverTime: string): void {
    const at = Date.parse(serverTime);
    if (Number.isNaN(at)) return;
    this.#offset = at - this.clock.now();
    this.#known = true;
  }

  now(): number {
    return this.clock.now() + this.#offset;
  }
}

/** Resolves after `ms` of the given clock. */
export function delay(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimeout(resolve, ms));
}

/** Exponential back-off with jitter: between half of and the whole of `base * 2^attempt`, at most `cap`. */
export function backoff(clock: Clock, attempt: number, base: number, cap: number): number {
  const full = Math.min(cap, base * 2 ** Math.min(attempt, 30));
  return Math.round(full * (0.5 + clock.random() / 2));
}
