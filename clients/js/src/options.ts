import { systemClock, type Clock } from './clock.js';
import { MemoryPersistence, type Persistence } from './persistence.js';
import type { SocketConstructor } from './session.js';
import type { TokenProvider } from './tokens.js';

export interface ClientOptions {
  /** The server's origin, as `https://chat.example.com`; in a page served by it, empty. */
  baseUrl?: string;
  /** Asked for a JWT at first, before the old one ends, and after the server refused one. */
  token: TokenProvider;
  /** Names the outbox in the persistence; the user that the token is for. */
  userId: string;
  /** Needed where there is no global WebSocket (Node before 22): the `ws` package's class fits. */
  WebSocket?: SocketConstructor;
  fetch?: typeof globalThis.fetch;
  /** Where unsent messages survive a restart. Default: nowhere. */
  persistence?: Persistence;
  clock?: Clock;
  /**
   * True follows each conversation entry by entry from where it is first seen, which suits a program that
   * reacts to messages. False (the default) does so for opened ones only and keeps just the newest state of
   * the rest, which suits a page with many conversations.
   */
  followAll?: boolean;
  /** A copy that misses more revs than this is read anew instead of entry by entry. Default 1000. */
  maxGap?: number;
}

export interface ResolvedOptions extends Required<ClientOptions> {
  socketUrl: string;
}

export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const socket = options.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket;
  if (!socket) throw new TypeError('there is no global WebSocket: pass one as `WebSocket`');
  const baseUrl = (options.baseUrl ?? '').replace(/\/+$/, '');
  const origin = baseUrl || (globalThis as { location?: { origin: string } }).location?.origin;
  if (!origin) throw new TypeError('pass the server\'s address as `baseUrl`');
  return {
    baseUrl,
    socketUrl: `${origin.replace(/^http/, 'ws')}/v1/ws`,
    token: options.token,
    userId: options.userId,
    WebSocket: socket as SocketConstructor,
    // Browsers refuse a fetch that is called as a method of something else than the window.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    persistence: options.persistence ?? new MemoryPersistence(),
    clock: options.clock ?? systemClock,
    followAll: options.followAll ?? false,
    maxGap: options.maxGap ?? 1_000,
  };
}
