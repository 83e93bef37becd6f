#!/usr/bin/env node
// A stand-in for the server with the same command line, to work on the page where no server is built. It
// keeps what the end-to-end script needs and checks little; it is a tool of this folder, never shipped.
import { createHmac, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Gateway } from './gateway.mjs';
import { Refused, Store } from './store.mjs';

const flag = (name, fallback) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback);
const [host, port] = flag('--listen', '127.0.0.1:0').split(':');
const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
const SECRET = 'a shared secret for the stand-in alone';

const store = new Store(flag('--data', 'data'));
const tickets = new Map();
const gateway = new Gateway(store, tickets);
const base64 = (value) => Buffer.from(value).toString('base64url');
const sign = (text) => createHmac('sha256', SECRET).update(text).digest('base64url');

function token(user, device) {
  const claims = { sub: user, exp: Math.floor(Date.now() / 1000) + 3_600, ...(device ? { device } : {}) };
  const head = `${base64('{"alg":"HS256"}')}.${base64(JSON.stringify(claims))}`;
  return { token: `${head}.${sign(head)}`, expires_at: new Date(claims.exp * 1000).toISOString() };
}

function userOf(request) {
  const [head, claims, signature] = (request.headers.authorization ?? '').replace('Bearer ', '').split('.');
  if (!signature || sign(`${head}.${claims}`) !== signature) throw new Refused(401, 'unauthenticated', 'the token is not valid');
  return JSON.parse(Buffer.from(claims, 'base64url')).sub;
}

/** By number, newest first, as `before` and `limit` say. */
function page(all, query) {
  const before = Number(query.get('before') ?? Infinity);
  const limit = Number(query.get('limit') ?? 50);
  const found = all.filter((message) => message.seq < before).reverse();
  return { items: found.slice(0, limit), next: found.length > limit ? found[limit - 1].seq : null };
}

function route(method, path, query, body, request) {
  if (method === 'POST' && path === '/v1/dev/tokens') return [201, token(body.user_id, body.device)];
  const user = userOf(request);
  if (method === 'POST' && path === '/v1/ws/tickets') {
    const ticket = randomUUID();
    tickets.set(ticket, user);
    return [201, { ticket }];
  }
  const parts = path.split('/').slice(2).map(decodeURIComponent);
  if (parts[0] === 'direct' && method === 'PUT') {
    const { created, conversation } = store.direct(user, parts[1]);
    return [created ? 201 : 200, store.view(user, conversation)];
  }
  if (parts[0] !== 'conversations') throw new Refused(404, 'not_found', 'there is no such route');
  const [, id, what, which] = parts;
  if (id === undefined) {
    const items = store.of(user).map((conversation) => store.inboxItem(user, conversation)).sort((a, b) => (a.active_at < b.active_at ? 1 : -1));
    const from = Number(query.get('cursor') ?? 0);
    const limit = Number(query.get('limit') ?? 50);
    return [200, { items: items.slice(from, from + limit), next: items.length > from + limit ? String(from + limit) : null }];
  }
  if (what === undefined && method === 'PUT') {
    const { created, conversation } = store.create(user, id, body);
    return [created ? 201 : 200, store.view(user, conversation)];
  }
  if (what === 'members' && method === 'PUT') {
    const { created, member } = store.putMember(user, id, which, body.role);
    return [created ? 201 : 200, member];
  }
  if (what === 'members' && method === 'DELETE') {
    store.remove(user, id, which);
    return [204];
  }
  const conversation = store.member(user, id);
  if (what === undefined) return [200, store.view(user, conversation)];
  if (what === 'messages' && method === 'POST') {
    const { duplicate, message } = store.send(user, id, body);
    return [duplicate ? 200 : 201, message];
  }
  if (what === 'messages') return [200, page(store.visible(user, conversation).flatMap((entry) => (entry.message ? [entry.message] : [])), query)];
  if (what === 'members') return [200, { items: [...conversation.members.values()].map(({ user_id, role, since }) => ({ user_id, role, since })), next: null }];
  if (what === 'receipts') return [200, { items: [...conversation.receipts.values()], next: null }];
  throw new Refused(404, 'not_found', 'there is no such route');
}

function serveFile(path, response) {
  const file = join(DIST, path === '/' ? 'index.html' : path.replaceAll('..', ''));
  if (!existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': "default-src 'self'", 'cache-control': 'no-store' });
  createReadStream(file).pipe(response);
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://server');
  if (!url.pathname.startsWith('/v1/')) return serveFile(url.pathname, response);
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const [status, body] = route(request.method, url.pathname, url.searchParams, chunks.length ? JSON.parse(Buffer.concat(chunks)) : undefined, request);
    response.writeHead(status, { 'content-type': 'application/json', 'verbatim-position': `p${store.position}` }).end(body ? JSON.stringify(body) : undefined);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    response.writeHead(error.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ type: 'about:blank', title: error.code, status: error.status, code: error.code, detail: error.message, retry: error.retry }));
  }
});
server.on('upgrade', (request, stream) => gateway.accept(request, stream));
server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`));
process.on('SIGTERM', () => {
  gateway.closeAll();
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 500).unref();
});
