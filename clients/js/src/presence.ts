import type { Presence } from './types.js';

/** The interface's bound for one socket. */
const MAX_WATCHED = 500;
/** In one frame, so that it stays far below the largest one. */
const PER_FRAME = 100;

export interface PresenceOptions {
  request(frame: { type: string } & Record<string, unknown>): Promise<unknown>;
  onChange(userId: string): void;
  onError(error: unknown): void;
}

/** Who is online, for the users that someone watches. Watches are counted and asked for anew in each session. */
export class PresenceWatch {
  #counts = new Map<string, number>();
  #known = new Map<string, Presence>();
  #online = false;

  constructor(private readonly options: PresenceOptions) {}

  get(userId: string): Presence | null {
    return this.#known.get(userId) ?? null;
  }

  /** Watches these; the answer ends it. Users beyond the bound are left out. */
  watch(users: string[]): () => void {
    const mine: string[] = [];
    const added: string[] = [];
    for (const user of new Set(users)) {
      const count = this.#counts.get(user) ?? 0;
      if (count === 0 && this.#counts.size >= MAX_WATCHED) continue;
      this.#counts.set(user, count + 1);
      mine.push(user);
      if (count === 0) added.push(user);
    }
    this.#ask('watch', added);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#release(mine);
    };
  }

  presence(frame: Presence): void {
    if (!this.#counts.has(frame.user_id)) return;
    this.#known.set(frame.user_id, { user_id: frame.user_id, online: frame.online, last_seen: frame.last_seen ?? null });
    this.options.onChange(frame.user_id);
  }

  online(): void {
    this.#online = true;
    this.#ask('watch', [...this.#counts.keys()]);
  }

  /** Nothing is known while there is no session; what was known would only grow old. */
  offline(): void {
    this.#online = false;
    const users = [...this.#known.keys()];
    this.#known.clear();
    for (const user of users) this.options.onChange(user);
  }

  #release(users: string[]): void {
    const ended: string[] = [];
    for (const user of users) {
      const count = (this.#counts.get(user) ?? 0) - 1;
      if (count > 0) this.#counts.set(user, count);
      else if (this.#counts.delete(user)) {
        this.#known.delete(user);
        ended.push(user);
      }
    }
    this.#ask('unwatch', ended);
  }

  #ask(type: 'watch' | 'unwatch', users: string[]): void {
    if (!this.#online) return;
    for (let from = 0; from < users.length; from += PER_FRAME) {
      this.options.request({ type, users: users.slice(from, from + PER_FRAME) }).catch((error: unknown) => this.options.onError(error));
    }
  }
}
