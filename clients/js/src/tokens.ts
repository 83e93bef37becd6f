import type { ServerTime } from './clock.js';
import { VerbatimError } from './errors.js';

/** What the app's provider answers: a JWT, or null when the user has to sign in again. */
export type TokenProvider = (reason: 'first' | 'renew' | 'refused') => Promise<string | null> | string | null;

/** Gets, keeps and replaces the bearer token; at most one call of the provider is under way. */
export class Tokens {
  #token: string | null = null;
  #pending: Promise<string> | null = null;
  #refused = false;

  constructor(
    private readonly provider: TokenProvider,
    private readonly time: ServerTime,
  ) {}

  /** The token at hand, or a new one when there is none or it has ended. */
  get(): Promise<string> {
    // Before the server's time is known the token is tried: a local clock that is ahead would call each one ended.
    if (this.#token && (!this.time.known || (this.remaining() ?? 1) > 0)) return Promise.resolve(this.#token);
    return this.fresh(this.#refused ? 'refused' : this.#token ? 'renew' : 'first');
  }

  fresh(reason: 'first' | 'renew' | 'refused'): Promise<string> {
    this.#pending ??= this.#ask(reason).finally(() => {
      this.#pending = null;
    });
    return this.#pending;
  }

  /** The server refused `token`; the next `get` asks the provider. */
  refuse(token: string): void {
    if (this.#token !== token) return;
    this.#token = null;
    this.#refused = true;
  }

  /** The server closed because the token ended or was revoked. */
  refuseCurrent(): void {
    if (this.#token) this.refuse(this.#token);
  }

  /** Milliseconds until the token at hand ends by its `exp`; null when it does not say. */
  remaining(): number | null {
    const exp = this.#token ? claims(this.#token)?.['exp'] : undefined;
    return typeof exp === 'number' ? exp * 1000 - this.time.now() : null;
  }

  async #ask(reason: 'first' | 'renew' | 'refused'): Promise<string> {
    const token = await this.provider(reason);
    if (!token) throw new VerbatimError({ code: 'signed_out', detail: 'there is no valid token: sign in again', retry: 'no' });
    this.#token = token;
    this.#refused = false;
    return token;
  }
}

/** The claims of a JWT, unverified: only the server judges a token, this only schedules its renewal. */
export function claims(token: string): Record<string, unknown> | null {
  const part = token.split('.')[1];
  if (!part) return null;
  try {
    const binary = atob(part.replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
