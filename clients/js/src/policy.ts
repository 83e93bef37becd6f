import { backoff, type Clock } from './clock.js';
import type { VerbatimError } from './errors.js';

const BASE_MS = 500;
const CAP_MS = 30_000;

export interface Bye {
  code?: string;
  detail?: string;
  reconnect_after_ms?: number;
}

/** The close code that follows a bye, for when the close itself gets lost. */
export function codeOfBye(bye: Bye | null): number {
  return (bye?.code !== undefined && BYE_CODES[bye.code]) || 1000;
}

const BYE_CODES: Record<string, number> = {
  restart: 1012,
  unauthenticated: 4001,
  token_ended: 4003,
  slow_consumer: 4008,
  replaced: 4009,
  rate_limited: 4029,
};

export interface Plan {
  delayMs: number;
  /** The token is not to be used again. */
  dropToken: boolean;
  /** The remembered `since` is not to be used again. */
  dropSince: boolean;
  /** For people. */
  reason: string;
}

/** How long at least to stay away after each close code of the interface; others have none. */
const FLOORS: Record<number, { ms: number; reason: string }> = {
  1002: { ms: 30_000, reason: 'the server saw a protocol error' },
  1003: { ms: 30_000, reason: 'the server saw a protocol error' },
  1007: { ms: 30_000, reason: 'the server saw a protocol error' },
  1008: { ms: 30_000, reason: 'the server refused too many frames' },
  1009: { ms: 30_000, reason: 'a frame was too large' },
  // Coming straight back would push out another of the user's sockets, which would come back in turn.
  4009: { ms: 60_000, reason: 'too many connections of this user' },
  4029: { ms: 10_000, reason: 'too many requests' },
};

const REASONS: Record<number, string> = {
  1001: 'the server is going away',
  1012: 'the server restarts',
  4001: 'the ticket was not accepted',
  4003: 'the token ended',
  4008: 'this device was too slow',
};

/** What to do after a socket closed. `attempt` counts the tries since the last lasting connection. */
export function afterClose(clock: Clock, attempt: number, code: number, bye: Bye | null): Plan {
  const floor = FLOORS[code];
  const least = floor ? jitterUp(clock, floor.ms) : 0;
  // Zero where the server has no wish.
  const named = bye?.reconnect_after_ms ?? 0;
  // The server's own delay is jittered already and is kept, unless this client has failed since.
  const own = named > 0 && attempt === 0 ? 0 : backoff(clock, attempt, BASE_MS, CAP_MS);
  const delayMs = Math.max(own, least, named);
  return {
    delayMs,
    dropToken: code === 4003,
    dropSince: false,
    reason: bye?.detail || floor?.reason || REASONS[code] || 'the connection was lost',
  };
}

/** What to do after the ticket or the `hello` was refused. */
export function afterError(clock: Clock, attempt: number, error: VerbatimError): Plan {
  const own = backoff(clock, attempt, BASE_MS, CAP_MS);
  return {
    // Everyone that a full server turned away was told the same time: spread the return.
    delayMs: error.retryAfterMs === undefined ? own : Math.max(own, jitterUp(clock, error.retryAfterMs)),
    dropToken: false,
    dropSince: error.code === 'bad_position',
    reason: error.code === 'network' ? 'the server cannot be reached' : error.message,
  };
}

function jitterUp(clock: Clock, ms: number): number {
  return Math.round(ms * (1 + clock.random() / 4));
}
