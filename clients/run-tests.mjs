// Bundles each *.test.ts of a folder and runs node's own test runner on the bundles: Node 18 cannot
// strip types by itself, and newer ones read a folder argument differently, so files are named.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const [source, out] = process.argv.slice(2);
if (!source || !out) throw new Error('usage: run-tests.mjs SOURCE_DIR BUILD_DIR');

const entryPoints = readdirSync(source).filter((name) => name.endsWith('.test.ts')).map((name) => join(source, name));
if (entryPoints.length === 0) throw new Error(`no *.test.ts in ${source}`);

rmSync(out, { recursive: true, force: true });
await build({
  entryPoints,
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node18',
  sourcemap: 'inline',
  logLevel: 'warning',
});
const bundles = readdirSync(out).filter((name) => name.endsWith('.mjs')).map((name) => join(out, name));
const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...bundles], { stdio: 'inherit' });
process.exit(status ?? 1);
