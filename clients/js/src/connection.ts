import { LONGEST_TIMER_MS, type Clock, type ServerTime } from './clock.js';
import { type VerbatimError, asVerbatimError, disconnected } from './errors.js';
import { type Bye, type Plan, afterClose, afterError } from './policy.js';
import { Session, type SocketConstructor } from './session.js';
import type { Tokens } from './tokens.js';
import type { Frame, Welcome } from './types.js';

export type ConnectionState =
  | { phase: 'stopped' }
  | { phase: 'connecting'; attempt: number }
  | { phase: 'online' }
  /** `retryAt` is by the clock that the client was given, for a countdown. */
  | { phase: 'waiting'; retryAt: number; reason: string }
  /** The provider has no token, or the server refuses each one it gives. */
  | { phase: 'signed_out'; reason: string };

export interface ConnectionOptions {
  url: string;
  socket: SocketConstructor;
  clock: Clock;
  time: ServerTime;
  tokens: Tokens;
  /** Whose connection this is: a token of somebody else must not send this one's messages. */
  userId: string;
  ticket(): Promise<string>;
  onState(state: ConnectionState): void;
  /**
   * A new session: what was asked of the old one has to be asked again. `resumed`: its `since` was taken;
   * `refused`: it was not.
   */
  onOnline(welcome: Welcome, resumed: boolean, refused: boolean): void;
  onOffline(): void;
  onFrame(frame: Frame): void;
}

/** A connection that lasted this long was a good one: the next failure starts from the shortest delay. */
const LASTING_MS = 10_000;
/** A browser sees no pings, so a dead path shows only when something is asked. */
const DEFAULT_PROBE_MS = 60_000;

/** Keeps one session alive: tickets, back-off by close code, renewal of the token, detection of dead paths. */
export class Connection {
  #state: ConnectionState = { phase: 'stopped' };
  #session: Session | null = null;
  #online = false;
  #attempt = 0;
  #run = 0;
  #since: string | null = null;
  #welcomedAt = 0;
  #retryTimer: unknown;
  #renewTimer: unknown;
  #probeTimer: unknown;

  constructor(private readonly options: ConnectionOptions) {}

  get state(): ConnectionState {
    return this.#state;
  }

  get online(): boolean {
    return this.#online;
  }

  /** The position that the next `hello` resumes from. Set once everything before it is known to be covered. */
  set since(position: string) {
    this.#since = position;
  }

  start(): void {
    if (this.#state.phase === 'stopped' || this.#state.phase === 'signed_out') void this.#connect();
  }

  /** Tries at once instead of at the end of the delay; for "retry now" and the browser's `online` event. */
  retryNow(): void {
    if (this.#state.phase === 'waiting') void this.#connect();
  }

  stop(): void {
    this.#run++;
    this.options.clock.clearTimeout(this.#retryTimer);
    const session = this.#session;
    this.#session = null;
    session?.close(1000, 'stopped');
    this.#offline();
    this.#set({ phase: 'stopped' });
  }

  request(frame: { type: string } & Record<string, unknown>): Promise<Frame> {
    if (!this.#session || !this.#online) return Promise.reject(disconnected('not connected'));
    return this.#session.request(frame);
  }

  post(frame: { type: string } & Record<string, unknown>): void {
    if (this.#online) this.#session?.post(frame);
  }

  /** Gives the session up for a new one, which begins with the server's time. */
  restart(): void {
    if (this.#online) this.#session?.close(4000, 'begins anew');
  }

  /** As `restart`, and everything is told again. */
  startOver(): void {
    this.#since = null;
    this.restart();
  }

  /** Asks for a sign of life; a dead path is closed by the time-out of the answer. For wake-ups of the device. */
  probe(): void {
    // Nobody watches oneself, so this changes nothing; it is the one frame that is answered without touching data.
    void this.request({ type: 'unwatch', users: [this.options.userId] }).catch(() => {});
  }

  async #connect(): Promise<void> {
    const run = ++this.#run;
    this.options.clock.clearTimeout(this.#retryTimer);
    this.#set({ phase: 'connecting', attempt: this.#attempt });
    let ticket: string;
    try {
      ticket = await this.options.ticket();
    } catch (thrown) {
      if (run === this.#run) this.#refused(asVerbatimError(thrown));
      return;
    }
    if (run !== this.#run) return;
    const { url, socket, clock } = this.options;
    const since = this.#since;
    this.#session = new Session({
      url,
      socket,
      clock,
      ticket,
      since,
      onWelcome: (welcome) => run === this.#run && this.#welcome(welcome, since !== null && !welcome.resumed),
      onFrame: (frame) => run === this.#run && this.options.onFrame(frame),
      onClose: (code, bye, error) => run === this.#run && this.#closed(code, bye, error),
    });
  }

  #welcome(welcome: Welcome, refused: boolean): void {
    if (welcome.user_id !== this.options.userId) {
      this.stop();
      return this.#set({ phase: 'signed_out', reason: `the token is for ${welcome.user_id}, not for ${this.options.userId}` });
    }
    this.options.time.learn(welcome.server_time);
    this.#online = true;
    this.#welcomedAt = this.options.clock.now();
    this.#set({ phase: 'online' });
    this.#scheduleRenewal();
    this.#scheduleProbe(2 * (welcome.ping_interval_ms ?? DEFAULT_PROBE_MS / 2));
    this.options.onOnline(welcome, welcome.resumed, refused);
  }

  #closed(code: number, bye: Bye | null, error: VerbatimError | null): void {
    this.#session = null;
    const lasted = this.#online && this.options.clock.now() - this.#welcomedAt >= LASTING_MS;
    if (lasted) this.#attempt = 0;
    this.#offline();
    if (error) return this.#refused(error);
    this.#wait(afterClose(this.options.clock, this.#attempt, code, bye));
  }

  #refused(error: VerbatimError): void {
    this.#session = null;
    if (error.code === 'signed_out' || error.code === 'unauthenticated' || error.code === 'forbidden') {
      // A ticket refused for a fresh token: only a new sign-in helps.
      return this.#set({ phase: 'signed_out', reason: error.message });
    }
    this.#wait(afterError(this.options.clock, this.#attempt, error));
  }

  #wait(plan: Plan): void {
    if (plan.dropSince) this.#since = null;
    if (plan.dropToken) this.options.tokens.refuseCurrent();
    this.#attempt++;
    this.#set({ phase: 'waiting', retryAt: this.options.clock.now() + plan.delayMs, reason: plan.reason });
    this.#retryTimer = this.options.clock.setTimeout(() => void this.#connect(), plan.delayMs);
  }

  #offline(): void {
    this.options.clock.clearTimeout(this.#renewTimer);
    this.options.clock.clearTimeout(this.#probeTimer);
    if (!this.#online) return;
    this.#online = false;
    this.options.onOffline();
  }

  /** Renews a tenth of the lifetime before the end, within 5 s and 60 s. */
  #scheduleRenewal(): void {
    const remaining = this.options.tokens.remaining();
    if (remaining === null) return;
    const lead = Math.min(60_000, Math.max(5_000, remaining / 10));
    const wait = Math.min(LONGEST_TIMER_MS, Math.max(0, remaining - lead));
    this.#renewTimer = this.options.clock.setTimeout(() => {
      if ((this.options.tokens.remaining() ?? 0) > lead + 1_000) this.#scheduleRenewal();
      else void this.#renew();
    }, wait);
  }

  async #renew(): Promise<void> {
    const { tokens } = this.options;
    const run = this.#run;
    const before = tokens.remaining() ?? 0;
    try {
      const token = await tokens.fresh('renew');
      if (run !== this.#run || !this.#online) return;
      await this.request({ type: 'renew', token });
      // A provider that only has the old token: the server closes with 4003 when it ends.
      if (run === this.#run && this.#online && (tokens.remaining() ?? 0) > before + 1_000) this.#scheduleRenewal();
    } catch {
      if (run !== this.#run || !this.#online) return;
      // Again while the token still holds; afterwards the server's close decides.
      if ((tokens.remaining() ?? 0) > 0) this.#renewTimer = this.options.clock.setTimeout(() => void this.#renew(), 3_000);
    }
  }

  #scheduleProbe(interval: number): void {
    this.#probeTimer = this.options.clock.setTimeout(() => {
      const silent = this.options.clock.now() - (this.#session?.lastHeard ?? 0);
      if (silent >= interval) this.probe();
      this.#scheduleProbe(interval);
    }, interval);
  }

  #set(state: ConnectionState): void {
    this.#state = state;
    this.options.onState(state);
  }
}
