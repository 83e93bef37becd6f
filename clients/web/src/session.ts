import { signal } from '@preact/signals';
import { claims } from '@verbatim/client';
import { storage } from './storage';

/** Who this tab is. Each tab has its own, so that two windows can be two people. */
export interface Session {
  userId: string;
  token: string;
  /** A development server gives new tokens for the asking; a pasted one can't be renewed. */
  kind: 'dev' | 'pasted';
  device: string;
}

const KEY = 'verbatim.session';
const tab = storage('sessionStorage');

export const session = signal<Session | null>(restore());
/** Why the last session ended, for the sign-in screen. */
export const endedBecause = signal<string | null>(null);

function restore(): Session | null {
  try {
    const held = JSON.parse(tab.getItem(KEY) ?? 'null') as Session | null;
    return held && held.userId && held.token ? held : null;
  } catch {
    return null;
  }
}

function keep(next: Session | null): void {
  session.value = next;
  if (next) tab.setItem(KEY, JSON.stringify(next));
  else tab.removeItem(KEY);
}

/** False where the server has no development mode: then a token has to be pasted. Throws what to tell the user. */
export async function signInDev(userId: string): Promise<boolean> {
  const device = `web-${Math.random().toString(36).slice(2, 10)}`;
  const token = await devToken(userId, device);
  if (token === null) return false;
  endedBecause.value = null;
  keep({ userId, token, kind: 'dev', device });
  return true;
}

/** Throws what to tell the user. */
export function signInWithToken(pasted: string): void {
  const token = pasted.trim().replace(/^Bearer\s+/i, '');
  const found = claims(token);
  if (typeof found?.['sub'] !== 'string' || found['sub'] === '') throw new Error('That is not a JWT with a “sub” claim: paste the three parts with their dots.');
  if (typeof found['exp'] === 'number' && found['exp'] * 1000 < Date.now()) throw new Error('That token has ended: get a new one.');
  endedBecause.value = null;
  keep({ userId: found['sub'], token, kind: 'pasted', device: typeof found['device'] === 'string' ? found['device'] : 'default' });
}

export function signOut(because: string | null = null): void {
  endedBecause.value = because;
  keep(null);
}

/** What the client asks for tokens. */
export async function provideToken(reason: 'first' | 'renew' | 'refused'): Promise<string | null> {
  const held = session.value;
  if (!held) return null;
  if (reason === 'first') return held.token;
  if (held.kind === 'pasted') return reason === 'renew' ? held.token : null;
  const token = await devToken(held.userId, held.device);
  if (token !== null && session.value) keep({ ...held, token });
  return token;
}

/** Null where there is no such route. */
async function devToken(userId: string, device: string): Promise<string | null> {
  let response: Response;
  try {
    response = await fetch('/v1/dev/tokens', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ user_id: userId, device }) });
  } catch {
    throw new Error('The server cannot be reached. Try again in a moment.');
  }
  if (response.status === 404 || response.status === 405) return null;
  const body = (await response.json().catch(() => ({}))) as { token?: string; detail?: string };
  if (!response.ok || !body.token) throw new Error(body.detail ?? `The server answered ${response.status}.`);
  return body.token;
}
