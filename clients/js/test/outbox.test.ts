import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, online, settle, type FakeServer } from './harness.js';

const withRoom = (server: FakeServer) => void server.room('c1');
const PREFIX = 'verbatim.outbox/http%3A%2F%2Fserver/ann/';
const ids = (server: FakeServer, socket = server.socket) => socket.of('send').map((frame) => frame['id']);
const allIds = (server: FakeServer) => server.sockets.flatMap((socket) => ids(server, socket));
const hold = (server: FakeServer) => (server.onFrame = (_socket, frame) => frame.type === 'send');

test('a send is acknowledged and leaves the outbox', async () => {
  const { server, client, persistence } = await online({}, withRoom);
  const { item, done } = client.send('c1', 'hello', { mood: 'good' });
  assert.equal(persistence.load(PREFIX).length, 1, 'kept before send returns');
  assert.equal(client.unsent('c1')[0]?.state, 'sending');
  const sent = await done;
  assert.equal(sent.seq, 1);
  assert.deepEqual(server.socket.of('send')[0]?.['metadata'], { mood: 'good' });
  assert.match(item.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(client.unsent(), []);
  assert.deepEqual(persistence.load('verbatim.'), []);
});

test('a send whose answer got lost is repeated with the same id and counted once', async () => {
  const { clock, server, client } = await online({}, withRoom);
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'send') return false;
    // The server ruled, but the answer never arrives.
    server.ack({ push: () => {}, server: socket.server } as never, frame, false);
    return true;
  };
  const { item, done } = client.send('c1', 'once');
  await settle();
  server.onFrame = () => false;
  server.socket.drop(1006);
  await clock.advance(2_000);
  const sent = await done;
  assert.equal(sent.id, item.id);
  assert.deepEqual(ids(server), [item.id]);
  assert.equal(server.messages('c1').length, 1);
});

test('no send overtakes an earlier one of its conversation that is not ruled', async () => {
  const { clock, server, client } = await online({}, (s) => { s.room('c1'); s.room('c2'); });
  hold(server);
  const first = client.send('c1', 'one');
  client.send('c1', 'two');
  client.send('c2', 'other');
  await settle();
  assert.deepEqual(server.socket.of('send').map((frame) => frame['text']), ['one', 'other']);
  server.socket.push({ type: 'error', ref: server.socket.of('send')[0]?.ref as string, code: 'outcome_unknown', detail: 'not known', retry: 'same_id' });
  await settle();
  assert.equal(ids(server).length, 2, 'neither at once');
  await clock.advance(1_000);
  assert.deepEqual(server.socket.of('send').map((frame) => frame['text']), ['one', 'other', 'one']);
  assert.equal(ids(server)[2], first.item.id);
  server.onFrame = () => false;
  server.socket.drop(1006);
  await clock.advance(2_000);
  assert.deepEqual(server.messages('c1').map((message) => message.text), ['one', 'two']);
});

test('what is written while offline goes out in order, once', async () => {
  const { clock, server, client } = await online({}, withRoom);
  server.refuseSockets = true;
  server.socket.drop(1006);
  for (const text of ['a', 'b', 'c']) client.send('c1', text);
  await clock.advance(10_000);
  assert.deepEqual(client.unsent('c1').map((item) => item.state), ['queued', 'queued', 'queued']);
  server.refuseSockets = false;
  await clock.advance(30_000);
  assert.deepEqual(server.messages('c1').map((message) => message.text), ['a', 'b', 'c']);
  assert.deepEqual(client.unsent(), []);
});

test('a reload loses nothing and doubles nothing', async () => {
  const made = await online({}, withRoom);
  made.server.onFrame = (socket, frame) => {
    if (frame.type !== 'send') return false;
    made.server.ack({ push: () => {}, server: socket.server } as never, frame, false);
    return true;
  };
  made.client.send('c1', 'under way');
  made.client.send('c1', 'waiting');
  await settle();
  made.client.stop();

  made.server.onFrame = () => false;
  const client = made.again();
  assert.deepEqual(client.unsent('c1').map((item) => [item.text, item.state]), [['under way', 'queued'], ['waiting', 'queued']]);
  client.start();
  await settle();
  assert.deepEqual(made.server.messages('c1').map((message) => message.text), ['under way', 'waiting']);
  assert.deepEqual(made.persistence.load('verbatim.'), []);
});

test('ack and the own entry may come in either order', async () => {
  const { server, client } = await online({}, withRoom);
  await client.open('c1');
  // The entry first: it is a ruling, and the next message need not wait for the ack.
  hold(server);
  const first = client.send('c1', 'entry first');
  await settle();
  const frame = server.socket.of('send')[0]!;
  server.say('c1', 'ann', 'entry first', { messageId: first.item.id });
  await settle();
  assert.equal((await first.done).seq, 1);
  server.ack(server.socket, frame);
  await settle();
  // The ack first: the message is shown, but the last rev stays until the entry.
  const second = client.send('c1', 'ack first');
  await settle();
  const entry = server.say('c1', 'ann', 'ack first', { messageId: second.item.id, push: false });
  server.ack(server.socket, server.socket.of('send')[1]!);
  await settle();
  assert.deepEqual(client.copy('c1')?.messages.map((message) => message.text), ['entry first', 'ack first']);
  server.socket.push({ type: 'entry', ...entry });
  assert.equal(server.socket.of('fetch').length, 0, 'no gap was made');
  assert.deepEqual(client.copy('c1')?.messages.map((message) => message.seq), [1, 2]);
});

test('a refusal fails the message and lets the next one go', async () => {
  const { server, client } = await online({}, withRoom);
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'send' || frame['text'] !== 'bad') return false;
    socket.push({ type: 'error', ref: frame.ref as string, code: 'forbidden', detail: 'only admins post here', retry: 'no' });
    return true;
  };
  const bad = client.send('c1', 'bad');
  const good = client.send('c1', 'good');
  await assert.rejects(bad.done, { code: 'forbidden' });
  await good.done;
  assert.deepEqual(client.unsent('c1').map((item) => [item.state, item.error?.detail]), [['failed', 'only admins post here']]);

  server.onFrame = () => false;
  client.retrySend(bad.item.key);
  await settle();
  assert.deepEqual(server.messages('c1').map((message) => message.text), ['good', 'bad']);
  const [spent, , again] = ids(server);
  assert.notEqual(spent, again, 'a ruled id is spent');
});

test('a failed message can be discarded', async () => {
  const { server, client, persistence } = await online({}, withRoom);
  server.onFrame = (socket, frame) => frame.type === 'send' && (socket.push({ type: 'error', ref: frame.ref as string, code: 'forbidden', detail: 'no', retry: 'no' }), true);
  const { item } = client.send('c1', 'bad');
  await settle();
  client.discardSend(item.key);
  assert.deepEqual(client.unsent(), []);
  assert.deepEqual(persistence.load('verbatim.'), []);
});

test('a stale id: sent if history holds it, else a new id', async () => {
  const { server, client } = await online({}, withRoom);
  const stale = (message: unknown) => (server.onFrame = (socket, frame) => {
    if (frame.type !== 'send') return false;
    server.onFrame = () => false;
    socket.push({ type: 'error', ref: frame.ref as string, code: 'stale_id', detail: 'old', retry: 'new_id', ...(message === undefined ? {} : { message }) });
    return true;
  });
  stale(null);
  const renewed = client.send('c1', 'lost long ago');
  const { id } = renewed.item;
  const sent = await renewed.done;
  assert.notEqual(sent.id, id);
  assert.equal(server.messages('c1').length, 1);

  stale({ id: 'x', conversation_id: 'c1', seq: 1, rev: 2, sender: 'ann', text: 'held', created_at: '2026-01-01T00:00:00.000Z' });
  const held = await client.send('c1', 'held').done;
  assert.equal(held.seq, 1);
  assert.equal(server.messages('c1').length, 1, 'nothing was sent again');
});

test('a stale id of which the socket does not say what history holds is asked about over REST', async () => {
  const { server, client } = await online({}, withRoom);
  server.onFrame = (socket, frame) => frame.type === 'send' && (socket.push({ type: 'error', ref: frame.ref as string, code: 'stale_id', detail: 'old', retry: 'new_id' }), true);
  server.onCall = (call) => (call.method === 'POST' && call.path === '/v1/conversations/c1/messages' ? { status: 422, body: { code: 'stale_id', detail: 'old', retry: 'new_id', message: { id: call.body.id, conversation_id: 'c1', seq: 4, rev: 9, sender: 'ann', text: 'held', created_at: '2026-01-01T00:00:00.000Z' } } } : undefined);
  const { item, done } = client.send('c1', 'held');
  assert.deepEqual([(await done).seq, (await done).id], [4, item.id]);
});

test('a device whose clock is corrected, or a server whose clock is, learns the time again', async () => {
  const { clock, server, client } = await online({}, withRoom);
  const answer = server.onFrame;
  // The server's clock was set back: what is made by the time that was learnt lies ahead.
  await clock.advance(60_000);
  const back = clock.now() - 600_000;
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'send' || server.welcomes > 1) return answer(socket, frame);
    socket.push({ type: 'error', ref: frame.ref as string, code: 'future_id', detail: 'future', retry: 'new_id' });
    server.time = () => back;
    return true;
  };
  const { done } = client.send('c1', 'x');
  await clock.advance(5_000);
  assert.equal((await done).seq, 1);
  const [first, second] = allIds(server).map((id) => String(id)).map((id) => parseInt(id.replace('-', '').slice(0, 12), 16));
  assert.ok((first as number) - (second as number) > 500_000, 'the second id is of the time that the new session told');
});

test('what was written before the time was known gets other ids, without another session', async () => {
  const { clock, server, client } = fixture();
  withRoom(server);
  const back = clock.now() - 2 * 86_400_000;
  server.time = () => back + 1_000;
  const done = ['a', 'b', 'c'].map((text) => client.send('c1', text).done);
  const answer = server.onFrame;
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'send' || parseInt(String(frame['id']).replace('-', '').slice(0, 12), 16) < back + 600_000) return answer(socket, frame);
    socket.push({ type: 'error', ref: frame.ref as string, code: 'future_id', detail: 'future', retry: 'new_id' });
    return true;
  };
  client.start();
  await clock.advance(2_000);
  assert.deepEqual((await Promise.all(done)).map((sent) => sent.seq), [1, 2, 3]);
  assert.equal(server.sockets.length, 1);
});

test('an id from the future is replaced, but not for ever', async () => {
  const { clock, server, client } = await online({}, withRoom);
  server.onFrame = (socket, frame) => frame.type === 'send' && (socket.push({ type: 'error', ref: frame.ref as string, code: 'future_id', detail: 'future', retry: 'new_id' }), true);
  const { done } = client.send('c1', 'x');
  await clock.advance(60_000);
  await assert.rejects(done, { code: 'future_id' });
  assert.equal(new Set(allIds(server)).size, 4);
});

test('two windows of one user do not send a stale message twice', async () => {
  const made = await online({}, withRoom);
  const { server, client, persistence } = made;
  hold(server);
  const { item, done } = client.send('c1', 'x');
  await settle();
  // The other window resent it under a new id, saw the ruling and removed it.
  persistence.remove(PREFIX + item.key);
  server.socket.push({ type: 'error', ref: server.socket.of('send')[0]?.ref as string, code: 'stale_id', detail: 'old', retry: 'new_id', message: null } as never);
  await settle();
  void done;
  assert.deepEqual(client.unsent(), []);
  assert.equal(ids(server).length, 1);
});

test('the rate pauses every conversation', async () => {
  const { clock, server, client } = await online({}, (s) => { s.room('c1'); s.room('c2'); });
  let limited = true;
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'send' || !limited) return false;
    limited = false;
    socket.push({ type: 'error', ref: frame.ref as string, code: 'rate_limited', detail: 'slow down', retry: 'same_id', retry_after_ms: 3_000 });
    return true;
  };
  client.send('c1', 'one');
  await settle();
  client.send('c2', 'two');
  await settle();
  assert.equal(ids(server).length, 1);
  await clock.advance(3_100);
  assert.equal(server.messages('c1').length + server.messages('c2').length, 2);
});

test('a token that ends under a send is no ruling on it', async () => {
  const { clock, server, client } = await online({}, withRoom);
  server.onFrame = (socket, frame) => frame.type === 'send' && (socket.push({ type: 'error', ref: frame.ref as string, code: 'unauthenticated', detail: 'the token ended', retry: 'no' }), true);
  client.send('c1', 'x');
  await settle();
  server.onFrame = () => false;
  server.socket.drop(4003);
  await clock.advance(3_000);
  assert.equal(server.messages('c1').length, 1);
});

test('an unanswered send ends the connection and is repeated on the next', async () => {
  const { clock, server, client } = await online({}, withRoom);
  hold(server);
  const { item } = client.send('c1', 'x');
  await clock.advance(20_000);
  server.onFrame = () => false;
  await clock.advance(2_000);
  assert.equal(server.sockets.length, 2);
  assert.deepEqual(ids(server), [item.id]);
});

test('what can never be sent is refused at once, and the outbox is bounded', async () => {
  const { client } = fixture();
  assert.throws(() => client.send('c1', ''), { code: 'invalid' });
  assert.throws(() => client.send('c1', 'a\0b'), { code: 'invalid' });
  assert.throws(() => client.send('c1', 'é'.repeat(8_193)), { code: 'too_large' });
  for (let count = 0; count < 500; count++) client.send('c1', 'x');
  assert.throws(() => client.send('c1', 'x'), { code: 'outbox_full' });
});

test('a persistence that is full keeps nobody from sending', async () => {
  const { clock, client, errors, server } = await online({ persistence: { load: () => [], get: () => null, put: () => { throw new Error('quota'); }, remove: () => {} } }, withRoom);
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'send') return false;
    server.onFrame = () => false;
    socket.push({ type: 'error', ref: frame.ref as string, code: 'future_id', detail: 'future', retry: 'new_id' });
    return true;
  };
  const { done } = client.send('c1', 'x');
  await clock.advance(5_000);
  await done;
  assert.ok(errors.length >= 1);
  assert.equal(server.messages('c1').length, 1, 'what was never kept does not count as removed by another window');
});

test('a failed message that another window went on with is left to it', async () => {
  const { server, client, persistence } = await online({}, withRoom);
  server.onFrame = (socket, frame) => frame.type === 'send' && (socket.push({ type: 'error', ref: frame.ref as string, code: 'forbidden', detail: 'no', retry: 'no' }), true);
  const { item } = client.send('c1', 'bad');
  await settle();
  const key = PREFIX + item.key;
  persistence.put(key, JSON.stringify({ ...item, id: 'other', state: 'queued' }));
  client.retrySend(item.key);
  await settle();
  assert.equal(ids(server).length, 1);
  assert.deepEqual(client.unsent(), []);
  assert.ok(persistence.get(key));
});

test('an outbox is of one user and one server', () => {
  const { client, persistence, again } = fixture({ userId: 'ann.lee' });
  client.send('c1', 'private');
  assert.equal(again().unsent().length, 1);
  for (const options of [{ userId: 'ann' }, { userId: 'ann.lee', baseUrl: 'http://server/other' }]) {
    assert.deepEqual(fixture({ ...options, persistence }).client.unsent(), []);
  }
});
