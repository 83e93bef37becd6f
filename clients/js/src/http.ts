import { backoff, delay, type Clock } from './clock.js';
import { VerbatimError, asVerbatimError, isTransient, problem } from './errors.js';
import type { Positions } from './positions.js';
import type { Tokens } from './tokens.js';

/** Attempts in all of one call, the first one included. */
const MAX_ATTEMPTS = 4;
/** A server that asks for a longer pause than this gets its error passed on to the caller instead. */
const LONGEST_PAUSE_MS = 10_000;
const TIMEOUT_MS = 15_000;

export interface Call {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  path: string;
  query?: Record<string, string | number | string[] | undefined>;
  body?: unknown;
  /** Makes a write repeatable; every attempt carries the same one. */
  idempotencyKey?: string;
  /** The conversation the call is about; without it a read waits for all writes known. */
  scope?: string;
  /** False for the few routes that take no token. */
  auth?: boolean;
  /** False where the caller has its own schedule (the socket's ticket). */
  repeat?: boolean;
}

export interface Answer<T> {
  status: number;
  body: T;
  position: string | null;
}

export interface HttpOptions {
  baseUrl: string;
  fetch: typeof globalThis.fetch;
  clock: Clock;
  tokens: Tokens;
  positions: Positions;
}

/** REST with the interface's rules: bearer token, positions, bounded repetition of what is safe to repeat. */
export class Http {
  constructor(private readonly options: HttpOptions) {}

  async call<T>(call: Call): Promise<Answer<T>> {
    const attempts = call.repeat === false ? 1 : MAX_ATTEMPTS;
    let refused = false;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await this.#once<T>(call);
        // Durable, but not ruled yet: the same command again answers with the ruling.
        if (answer.status !== 202) return answer;
        throw new VerbatimError({ code: 'outcome_unknown', detail: 'the write is durable, its outcome is not known yet', retry: 'same_id', status: 202 });
      } catch (thrown) {
        const error = asVerbatimError(thrown);
        if (error.code === 'unauthenticated' && call.auth !== false && !refused) {
          refused = true;
          continue;
        }
        if (error.code === 'bad_position' && attempt + 1 < attempts) {
          this.options.positions.forget();
          continue;
        }
        const pause = error.retryAfterMs ?? backoff(this.options.clock, attempt, 300, 5_000);
        const again = error.code !== 'unauthenticated' && isTransient(error) && attempt + 1 < attempts && pause <= LONGEST_PAUSE_MS;
        if (!again) throw error;
        await delay(this.options.clock, pause);
      }
    }
  }

  async #once<T>(call: Call): Promise<Answer<T>> {
    const { clock, positions, tokens } = this.options;
    const headers: Record<string, string> = { accept: 'application/json' };
    const read = call.method === 'GET';
    const after = read && call.auth !== false ? positions.after(call.scope) : [];
    if (after.length > 0) headers['verbatim-after'] = after.join(',');
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    if (call.idempotencyKey) headers['idempotency-key'] = call.idempotencyKey;
    let token = '';
    if (call.auth !== false) {
      token = await tokens.get();
      headers['authorization'] = `Bearer ${token}`;
    }

    const abort = new AbortController();
    const timer = clock.setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const response = await this.options.fetch(this.url(call), {
        method: call.method,
        headers,
        signal: abort.signal,
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      const text = await response.text();
      const body = parse(text);
      if (!response.ok) {
        if (response.status === 401) tokens.refuse(token);
        throw problem(body, response.status, response.headers.get('retry-after'));
      }
      const position = response.headers.get('verbatim-position');
      if (!read) positions.wrote(call.scope ?? '', position);
      else if (call.scope !== undefined) positions.read(call.scope, after, position);
      return { status: response.status, body: body as T, position };
    } finally {
      clock.clearTimeout(timer);
    }
  }

  url(call: Pick<Call, 'path' | 'query'>): string {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(call.query ?? {})) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined) query.append(name, String(one));
      }
    }
    const text = query.toString();
    return `${this.options.baseUrl}${call.path}${text ? `?${text}` : ''}`;
  }
}

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
