// Bundles the page into dist/: index.html, app.[hash].js, app.[hash].css and an icon; static files only.
// Nothing is inline, so that `default-src 'self'` is policy enough for it.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));
rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');

const { metafile } = await build({
  entryPoints: { app: 'src/main.tsx' },
  outdir: 'dist',
  entryNames: '[name].[hash]',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022', 'safari16'],
  metafile: true,
  legalComments: 'none',
  logLevel: 'warning',
});

const named = (extension) => {
  const found = Object.keys(metafile.outputs).filter((path) => path.endsWith(extension));
  if (found.length !== 1) throw new Error(`expected one ${extension} in the bundle, found ${found.length}`);
  return basename(found[0]);
};
const page = readFileSync('src/index.html', 'utf8').replace('app.js', named('.js')).replace('app.css', named('.css'));
writeFileSync('dist/index.html', page);
copyFileSync('src/icon.svg', 'dist/icon.svg');

for (const [path, { bytes }] of Object.entries(metafile.outputs)) console.log(`${path}  ${(bytes / 1024).toFixed(1)} KiB`);
