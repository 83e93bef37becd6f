// Drives the page in a real browser: npm run e2e -- --base http://127.0.0.1:PORT [--shots FOLDER]
// or, with the path of the server's binary in VERBATIM_BIN, against a server of its own that it also kills.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { OwnServer, RunningServer } from './server.mjs';
import { LEFT_OUT, STEPS } from './steps.mjs';

const CHROMIUM = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const { values } = parseArgs({ options: { base: { type: 'string' }, shots: { type: 'string' } } });
/** Paths are of the folder where npm was called, not of the one it runs this in. @param {string | undefined} path */
const given = (path) => (path ? resolve(process.env['INIT_CWD'] ?? '.', path) : undefined);
const bin = given(process.env['VERBATIM_BIN']);
const shots = given(values.shots);
if (!values.base && !bin) {
  console.error('give the address of a running server (serve --dev) with --base, or its binary in VERBATIM_BIN');
  process.exit(2);
}
if (!CHROMIUM) {
  console.error('no Chromium found: install the package chromium, or give its path in CHROMIUM');
  process.exit(2);
}

const profile = mkdtempSync(join(tmpdir(), 'verbatim-browser-'));
const server = bin && !values.base ? new OwnServer(bin) : new RunningServer(String(values.base));
let passed = 0;
let failed = 0;
let leftOut = 0;
/** @type {import('playwright-core').Browser | undefined} */
let browser;
try {
  await server.start();
  browser = await chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, `--disk-cache-dir=${join(profile, 'cache')}`] });
  const world = /** @type {import('./steps.mjs').World} */ (/** @type {unknown} */ ({ browser, server, run: Date.now().toString(36).slice(-5), shoot }));
  for (const [name, step] of STEPS) {
    const started = Date.now();
    try {
      if ((await step(world)) === LEFT_OUT) {
        leftOut++;
        console.log(`-     ${name}: left out, it needs a server of its own (VERBATIM_BIN)`);
        continue;
      }
      for (const person of [world.ann, world.bob]) assert.deepEqual(person.problems, [], `errors in ${person.name}'s window`);
      passed++;
      console.log(`ok    ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAIL  ${name}`);
      console.log(error);
      for (const person of [world.ann, world.bob]) if (person) await shoot(person, `failed-${person.name.split('-')[0]}`).catch(() => {});
      // The steps build on one another.
      break;
    }
  }
} finally {
  await browser?.close();
  await server.end();
  rmSync(profile, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed + leftOut === STEPS.length ? 0 : 1);

/** @param {import('./person.mjs').Person} person @param {string} name */
async function shoot(person, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await person.page.screenshot({ path: join(shots, `${name}.png`) });
}
