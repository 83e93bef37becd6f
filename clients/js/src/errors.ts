import type { Message } from './types.js';

export type Retry = 'no' | 'same_id' | 'new_id';

export interface ProblemFields {
  code: string;
  detail: string;
  retry: Retry;
  status?: number;
  field?: string;
  retryAfterMs?: number;
  /** On `stale_id`: what history holds for the id, or null. Absent where the answer did not say. */
  message?: Message | null;
}

/** Every error of this library: one the server ruled, or one of its own codes (`disconnected`, `network`, `no_answer`, `outbox_full`, `too_large`, `stopped`). */
export class VerbatimError extends Error {
  readonly code: string;
  readonly retry: Retry;
  readonly status: number | undefined;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** See {@link ProblemFields.message}. */
  readonly heldMessage: Message | null | undefined;

  constructor(fields: ProblemFields) {
    super(fields.detail);
    this.name = 'VerbatimError';
    this.code = fields.code;
    this.retry = fields.retry;
    this.status = fields.status;
    this.field = fields.field;
    this.retryAfterMs = fields.retryAfterMs;
    this.heldMessage = fields.message;
  }
}

/** Reads an error frame or the body of a problem+json answer; what is missing follows from the status. */
export function problem(body: unknown, status?: number, retryAfter?: string | null): VerbatimError {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (name: string): string | undefined => (typeof fields[name] === 'string' ? (fields[name] as string) : undefined);
  const code = text('code') ?? codeOf(status);
  const retry = text('retry');
  const ms = typeof fields['retry_after_ms'] === 'number' ? fields['retry_after_ms'] : parseRetryAfter(retryAfter);
  const field = text('field');
  return new VerbatimError({
    code,
    detail: text('detail') ?? text('title') ?? `the server answered ${status ?? code}`,
    retry: retry === 'no' || retry === 'same_id' || retry === 'new_id' ? retry : retryOf(code),
    ...(status === undefined ? {} : { status }),
    ...(field === undefined ? {} : { field }),
    ...(ms === undefined ? {} : { retryAfterMs: ms }),
    ...('message' in fields ? { message: (fields['message'] ?? null) as Message | null } : {}),
  });
}

/** Retry-After in seconds; the form with a date is not used by the server. */
function parseRetryAfter(value: string | null | undefined): number | undefined {
  const seconds = value ? Number(value) : Number.NaN;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

/** For answers without a problem body, as a proxy in between gives them. */
function codeOf(status: number | undefined): string {
  switch (status) {
    case 401: return 'unauthenticated';
    case 403: return 'forbidden';
    case 404: return 'not_found';
    case 408: return 'timeout';
    case 413: return 'too_large';
    case 429: return 'rate_limited';
    case 504: return 'outcome_unknown';
    default: return status !== undefined && status >= 500 ? 'unavailable' : 'invalid';
  }
}

const TRANSIENT = new Set(['timeout', 'rate_limited', 'too_many_connections', 'behind', 'unavailable', 'outcome_unknown', 'unauthenticated', 'disconnected', 'network', 'no_answer']);

/** True for what rules nothing out, so that the same command may and must be repeated. */
export function isTransient(error: VerbatimError): boolean {
  // A token that ended is no ruling on the message: it is repeated under a fresh one.
  return error.retry === 'same_id' || TRANSIENT.has(error.code);
}

function retryOf(code: string): Retry {
  if (code === 'stale_id' || code === 'future_id') return 'new_id';
  return TRANSIENT.has(code) ? 'same_id' : 'no';
}

export function disconnected(detail = 'the connection closed before the answer'): VerbatimError {
  return new VerbatimError({ code: 'disconnected', detail, retry: 'same_id' });
}

export function asVerbatimError(error: unknown): VerbatimError {
  if (error instanceof VerbatimError) return error;
  return new VerbatimError({ code: 'network', detail: error instanceof Error ? error.message : String(error), retry: 'same_id' });
}
