import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerTime } from '../src/clock.js';
import { Copy, progress } from '../src/copy.js';
import { Ids } from '../src/ids.js';
import { Positions } from '../src/positions.js';
import { VirtualClock, online, settle, type FakeServer } from './harness.js';

const withRoom = (server: FakeServer) => void server.room('c1');

test('ids are UUIDv7 of the server\'s time, each greater than the last', () => {
  const clock = new VirtualClock();
  const time = new ServerTime(clock);
  const ids = new Ids(time, clock);
  const made = Array.from({ length: 10_000 }, () => ids.next());
  for (let index = 1; index < made.length; index++) assert.ok(made[index]! > made[index - 1]!);
  const at = Date.parse('2031-05-06T07:08:09.010Z');
  time.learn('2031-05-06T07:08:09.010Z');
  assert.equal(parseInt(ids.next().replace(/-/g, '').slice(0, 12), 16), at);
  // A clock that was far ahead is not inherited.
  time.learn('2026-01-01T00:00:00.000Z');
  assert.ok(ids.next().startsWith((Date.parse('2026-01-01T00:00:00.000Z')).toString(16).padStart(12, '0').slice(0, 8)));
});

test('positions are bounded, and a read replaces what it waited for', () => {
  const positions = new Positions();
  for (let count = 0; count < 40; count++) positions.wrote(`c${count}`, `token-${count}`);
  assert.equal(positions.after().length, 16);
  assert.equal(positions.after()[0], 'token-39');
  assert.deepEqual(positions.after('c3'), ['token-3']);
  positions.wrote('c3', 'late');
  positions.read('c3', ['token-3'], 'read');
  assert.deepEqual(positions.after('c3'), ['read', 'late']);
  for (let count = 0; count < 5; count++) positions.wrote(`b${count}`, 'x'.repeat(1_020) + count);
  assert.ok(positions.after().join(',').length <= 4_096);
});

test('a read that is behind is repeated by Retry-After, a bounded number of times', async () => {
  const { clock, server, client } = await online({}, withRoom);
  await client.send('c1', 'x').done;
  let behind = 2;
  server.onCall = (call) => (call.path === '/v1/conversations/c1/messages' && behind-- > 0 ? { status: 503, body: { code: 'behind', detail: 'behind', retry: 'same_id' }, headers: { 'retry-after': '1' } } : undefined);
  const page = client.rest.messages('c1');
  await clock.advance(2_100);
  assert.equal((await page).items.length, 1);
  assert.ok(server.calls.at(-1)?.headers['verbatim-after']?.split(',').includes('w2'), 'it reads the own write');

  behind = 100;
  const failing = client.rest.messages('c1');
  failing.catch(() => {});
  const before = server.calls.length;
  await clock.advance(60_000);
  await assert.rejects(failing, { code: 'behind' });
  assert.ok(server.calls.length - before <= 4);
});

test('a write whose outcome is unknown, or only durable, is repeated with its key', async () => {
  const { clock, server, client } = await online({}, withRoom);
  const answers = [{ status: 504, body: { code: 'outcome_unknown', detail: 'unknown', retry: 'same_id' } }, { status: 202, body: { conversation_id: 'c1', position: 'p' } }];
  server.onCall = (call) => (call.method === 'DELETE' ? (answers.shift() ?? { status: 204 }) : undefined);
  const done = client.rest.removeMember('c1', 'bob');
  await clock.advance(3_000);
  await done;
  const keys = server.calls.filter((call) => call.method === 'DELETE').map((call) => call.headers['idempotency-key']);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
});

test('errors are typed', async () => {
  const { server, client } = await online();
  server.onCall = () => ({ status: 422, body: { type: 'about:blank', title: 'Invalid', status: 422, code: 'invalid', detail: 'the name is too long', retry: 'no', field: 'name' } });
  await assert.rejects(client.rest.createConversation({ kind: 'group', name: 'x' }), { name: 'VerbatimError', code: 'invalid', field: 'name', status: 422, retry: 'no', message: 'the name is too long' });
});

test('delivered is told by itself, gathered, and repeated until confirmed', async () => {
  const { clock, server, client } = await online({}, withRoom);
  await client.open('c1');
  for (const text of ['a', 'b', 'c']) server.say('c1', 'bob', text);
  await clock.advance(200);
  assert.deepEqual(server.socket.of('receipt').map((frame) => [frame['delivered'], frame['read']]), [[3, undefined]]);

  server.onFrame = (_socket, frame) => frame.type === 'receipt';
  client.markRead('c1');
  await clock.advance(200);
  server.onFrame = () => false;
  server.socket.drop(1006);
  await clock.advance(2_000);
  assert.deepEqual(server.socket.of('receipt').map((frame) => frame['read']), [3]);
  await clock.advance(5_000);
  assert.equal(server.socket.of('receipt').length, 1);
});

test('own messages and channels make no receipts', async () => {
  const { clock, server, client } = await online({}, (s) => { s.room('c1'); s.room('ch', 'channel'); });
  await client.loadInbox();
  await client.send('c1', 'x').done;
  server.say('ch', 'bob', 'y');
  await clock.advance(1_000);
  assert.equal(server.socket.of('receipt').length, 0);
});

test('unread counts follow heads, entries, own sends and other devices', async () => {
  const { server, client } = await online({}, withRoom);
  await client.loadInbox();
  const unread = () => client.inbox.get('c1')?.unread;
  server.say('c1', 'bob', 'a');
  server.say('c1', 'bob', 'b');
  assert.equal(unread(), 2);
  assert.equal(client.inbox.totalUnread(), 2);
  server.socket.push({ type: 'receipt', conversation_id: 'c1', user_id: 'ann', delivered: 1, read: 1, at: '2026-01-02T00:00:00.000Z' });
  assert.equal(unread(), 1);
  await client.send('c1', 'mine').done;
  assert.equal(unread(), 0);
  server.socket.push({ type: 'unread', conversation_id: 'c1', head_rev: 9, head_seq: 8, unread: 4, read: 3 });
  assert.equal(unread(), 4, 'one of the five was deleted');
  server.socket.push({ type: 'unread', conversation_id: 'c1', head_rev: 10, head_seq: 9 });
  assert.equal(unread(), 5, 'a channel leaves the subtraction to the client');
});

test('presence is watched once for all who ask, and anew in each session', async () => {
  const { clock, server, client } = await online();
  const first = client.watch(['bob', 'cid']);
  const second = client.watch(['bob']);
  await settle();
  assert.deepEqual(server.socket.of('watch').map((frame) => frame['users']), [['bob', 'cid']]);
  server.socket.push({ type: 'presence', user_id: 'bob', online: true, last_seen: null });
  assert.equal(client.presence('bob')?.online, true);
  server.socket.drop(1006);
  assert.equal(client.presence('bob'), null, 'offline, nothing is known');
  await clock.advance(1_000);
  assert.deepEqual(server.socket.of('watch')[0]?.['users'], ['bob', 'cid']);
  first();
  first();
  assert.deepEqual(server.socket.of('unwatch')[0]?.['users'], ['cid']);
  second();
  assert.deepEqual(server.socket.of('unwatch')[1]?.['users'], ['bob']);
});

test('typing is sent sparingly and ends by itself or with the message', async () => {
  const { clock, server, client } = await online({}, withRoom);
  for (let key = 0; key < 40; key++) {
    client.typing('c1');
    await clock.advance(100);
  }
  assert.equal(server.socket.of('typing').length, 2);
  await clock.advance(5_000);
  client.typing('c1');
  await client.send('c1', 'sent').done;
  client.typing('c1');
  assert.equal(server.socket.of('typing').length, 3, 'not at once after a message');
  await clock.advance(1_200);
  client.typing('c1');
  assert.equal(server.socket.of('typing').length, 4, 'but sooner than without one');
  server.socket.push({ type: 'typing', conversation_id: 'c1', user_id: 'bob' });
  assert.deepEqual(client.typingUsers('c1'), ['bob']);
  await clock.advance(5_000);
  assert.deepEqual(client.typingUsers('c1'), []);
  server.socket.push({ type: 'typing', conversation_id: 'c1', user_id: 'bob' });
  server.say('c1', 'bob', 'here');
  assert.deepEqual(client.typingUsers('c1'), []);
});

test('a channel on the screen is viewed, and what came meanwhile is fetched', async () => {
  const { clock, server, client } = await online({}, (s) => { s.room('ch', 'channel'); });
  await client.loadInbox();
  await client.open('ch');
  assert.equal(server.socket.of('view').length, 1);
  server.socket.drop(1006);
  server.say('ch', 'bob', 'missed', { push: false });
  server.heads = () => [{ type: 'heads', items: [], more: false }];
  await clock.advance(1_000);
  assert.equal(server.socket.of('view').length, 1);
  assert.deepEqual(client.copy('ch')?.messages.map((message) => message.text), ['missed']);
  client.close('ch');
  assert.equal(server.socket.of('unview').length, 1);
});

test('ticks count those who were members when the message was written', () => {
  const copy = new Copy('c1');
  const at = '2026-01-02T00:00:00.000Z';
  copy.setMembers([
    { user_id: 'ann', role: 'admin', since: '2026-01-01T00:00:00.000Z' },
    { user_id: 'bob', role: 'member', since: '2026-01-01T00:00:00.000Z' },
    { user_id: 'cid', role: 'member', since: '2026-01-01T00:00:00.000Z' },
    { user_id: 'dan', role: 'member', since: '2026-01-03T00:00:00.000Z' },
  ]);
  const message = { seq: 5, created_at: at };
  copy.receipt({ user_id: 'bob', delivered: 5, read: 5, at });
  assert.equal(progress(copy, 'ann')(message), 'sent');
  copy.receipt({ user_id: 'cid', delivered: 5, read: 2, at });
  assert.equal(progress(copy, 'ann')(message), 'delivered');
  copy.receipt({ user_id: 'cid', delivered: 3, read: 6, at });
  assert.equal(progress(copy, 'ann')(message), 'read');
});

test('who answers has read', () => {
  const copy = new Copy('c1');
  const message = (seq: number, sender: string) => ({ id: `m${seq}`, conversation_id: 'c1', seq, rev: seq, sender, text: '', created_at: '' });
  copy.load({ items: [message(1, 'ann')], next: null });
  assert.equal(progress(copy, 'ann', 'bob')(message(1, 'ann')), 'sent');
  copy.entry({ conversation_id: 'c1', rev: 2, kind: 'message', message: message(2, 'bob') });
  assert.equal(progress(copy, 'ann', 'bob')(message(1, 'ann')), 'read');
});

test('of two copies of a message the higher rev stays', () => {
  const copy = new Copy('c1');
  const message = (rev: number, text: string) => ({ id: 'm', conversation_id: 'c1', seq: 1, rev, sender: 'bob', text, created_at: '' });
  copy.load({ items: [message(7, 'edited')], next: null });
  copy.entry({ conversation_id: 'c1', rev: 2, kind: 'message', message: message(2, 'old') });
  assert.equal(copy.messages[0]?.text, 'edited');
});
