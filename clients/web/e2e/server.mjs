// The server under test: one that runs already, or one that is started, killed and started again here.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const START_TIMEOUT_MS = 60_000;

/** A server that someone else runs; it can't be restarted from here. */
export class RunningServer {
  canRestart = false;

  /** @param {string} base */
  constructor(base) {
    this.base = base.replace(/\/+$/, '');
  }
  async kill() {}
  async terminate() {}
  async start() {}
  async end() {}
}

/** `BIN serve --dev` on a folder and a port of its own. */
export class OwnServer {
  canRestart = true;
  base = '';
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null;
  #data = mkdtempSync(join(tmpdir(), 'verbatim-e2e-'));

  /** @param {string} bin */
  constructor(bin) {
    this.bin = bin;
  }

  /** The same port again after the first time, since the pages know no other. */
  async start() {
    const listen = this.base ? new URL(this.base).host : '127.0.0.1:0';
    // The server takes every VERBATIM_ variable for a setting and refuses those it does not know.
    const { VERBATIM_BIN: _, ...env } = process.env;
    const child = spawn(this.bin, ['serve', '--dev', '--data', this.#data, '--listen', listen], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const lines = createInterface({ input: /** @type {import('node:stream').Readable} */ (child.stdout) });
    const started = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const found = /listening on (http:\/\/\S+)/.exec(line);
        if (found) resolve(found[1]);
      });
      child.once('exit', (code) => reject(new Error(`the server ended with ${code} before it listened`)));
      child.once('error', reject);
      setTimeout(() => reject(new Error('the server did not say where it listens')), START_TIMEOUT_MS).unref();
    });
    this.base = String(await started).replace(/\/+$/, '');
  }

  kill() {
    return this.#signal('SIGKILL');
  }

  terminate() {
    return this.#signal('SIGTERM');
  }

  async end() {
    await this.#signal('SIGKILL');
    rmSync(this.#data, { recursive: true, force: true });
  }

  /** @param {NodeJS.Signals} signal */
  async #signal(signal) {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }
}
