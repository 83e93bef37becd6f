import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, jwt, online, phase, settle, waits } from './harness.js';

test('connects with a ticket, then resumes from the last welcome', async () => {
  const { clock, server, client } = await online();
  assert.equal(phase(client), 'online');
  assert.equal(server.socket.url, 'ws://server/v1/ws');
  assert.equal(server.socket.protocol, 'verbatim.v1');
  assert.equal(server.socket.frames[0]?.['ticket'], 't1');
  assert.ok(!('since' in server.socket.frames[0]!));

  await clock.advance(20_000);
  server.socket.drop(1006);
  assert.equal(phase(client), 'waiting');
  await clock.advance(1_000);
  assert.equal(phase(client), 'online');
  assert.equal(server.sockets.length, 2);
  assert.equal(server.socket.frames[0]?.['since'], 'p1');
  assert.equal(server.count('POST', '/v1/ws/tickets'), 2, 'a ticket is used once');
});

test('backs off longer with each failure, and starts over after a lasting connection', async () => {
  const { clock, server, client } = await online();
  server.refuseSockets = true;
  server.socket.drop(1006);
  const delays: number[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    assert.equal(phase(client), 'waiting');
    const wait = waits(client, clock);
    delays.push(wait);
    await clock.advance(wait);
  }
  assert.ok(delays[0]! <= 500 && delays[3]! > delays[0]!, String(delays));
  assert.ok(delays.every((delay) => delay <= 30_000));
  server.refuseSockets = false;
  await clock.advance(30_000);
  assert.equal(phase(client), 'online');
  await clock.advance(11_000);
  server.socket.drop(1006);
  assert.ok(waits(client, clock) <= 500);
});

test('a restart (1012) is followed by the delay that bye names', async () => {
  const { clock, server, client } = await online();
  server.socket.push({ type: 'bye', code: 'restart', detail: 'restart', reconnect_after_ms: 7_000 });
  server.socket.drop(1012);
  assert.deepEqual(client.state, { phase: 'waiting', retryAt: clock.now() + 7_000, reason: 'restart' });
  await clock.advance(6_999);
  assert.equal(server.sockets.length, 1);
  await clock.advance(1);
  assert.equal(phase(client), 'online');
});

test('a bye whose close gets lost is ended from this side', async () => {
  const { clock, server, client } = await online();
  server.socket.push({ type: 'bye', code: 'restart', detail: 'restart', reconnect_after_ms: 100 });
  await clock.advance(2_200);
  assert.equal(phase(client), 'online');
  assert.equal(server.sockets.length, 2);
});

test('close codes that must not be answered at once are not', async () => {
  for (const [code, least] of [[4009, 60_000], [4029, 10_000], [1008, 30_000], [1009, 30_000]] as const) {
    const { clock, server, client } = await online();
    server.socket.drop(code);
    const wait = waits(client, clock);
    assert.ok(wait >= least, `${code} waits ${wait}`);
    client.retryNow();
    await settle();
    assert.equal(phase(client), 'online', 'by hand it is tried at once');
  }
  for (const code of [4001, 4008, 1001]) {
    const { clock, server, client } = await online();
    server.socket.drop(code);
    assert.ok(waits(client, clock) <= 500);
  }
});

test('a bye without a delay of its own leaves it to the back-off', async () => {
  const { clock, server, client } = await online();
  server.socket.push({ type: 'bye', code: 'slow_consumer', detail: 'read faster', reconnect_after_ms: 0 });
  server.socket.drop(4008);
  assert.ok(waits(client, clock) >= 250);
});

test('a full server is left alone for as long as it asks', async () => {
  const { clock, server, client } = fixture();
  server.onCall = (call) => (call.path === '/v1/ws/tickets' ? { status: 503, body: { code: 'unavailable', detail: 'full', retry: 'same_id' }, headers: { 'retry-after': '9' } } : undefined);
  client.start();
  await settle();
  assert.equal(server.calls.length, 1);
  await clock.advance(8_999);
  assert.equal(server.calls.length, 1);
  server.onCall = () => undefined;
  await clock.advance(3_000);
  assert.equal(phase(client), 'online');
});

test('the token is renewed before it ends', async () => {
  const reasons: string[] = [];
  const made = fixture({ token: (reason) => { reasons.push(reason); return jwt(made.clock, 600); } });
  made.client.start();
  await settle();
  await made.clock.advance(530_000);
  assert.deepEqual(made.server.socket.of('renew'), []);
  await made.clock.advance(15_000);
  assert.deepEqual(reasons, ['first', 'renew']);
  assert.equal(made.server.socket.of('renew').length, 1);
  await made.clock.advance(560_000);
  assert.equal(made.server.socket.of('renew').length, 2);
  assert.equal(made.server.sockets.length, 1);
});

test('a renewal that fails is tried again while the token holds', async () => {
  let failing = false;
  const made = fixture({ token: () => { if (failing) throw new Error('no network'); return jwt(made.clock, 600); } });
  made.client.start();
  await settle();
  failing = true;
  await made.clock.advance(545_000);
  failing = false;
  await made.clock.advance(5_000);
  assert.equal(made.server.socket.of('renew').length, 1);
});

test('a token that ended (4003) is replaced before the next connection', async () => {
  const reasons: string[] = [];
  const made = fixture({ token: (reason) => { reasons.push(reason); return jwt(made.clock, 600); } });
  made.client.start();
  await settle();
  made.server.socket.drop(4003);
  await made.clock.advance(1_000);
  assert.deepEqual(reasons, ['first', 'refused']);
  assert.equal(phase(made.client), 'online');
});

test('a token refused twice, or none, means signing in again', async () => {
  const { server, client } = fixture();
  server.onCall = () => ({ status: 401, body: { code: 'unauthenticated', detail: 'the token is not valid', retry: 'no' } });
  client.start();
  await settle();
  assert.equal(phase(client), 'signed_out');
  assert.equal(server.calls.length, 2);

  const none = fixture({ token: () => null });
  none.client.start();
  await settle();
  assert.equal(phase(none.client), 'signed_out');
});

test('a position the server does not know is dropped', async () => {
  const { clock, server, client } = await online();
  server.socket.drop(1006);
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'hello' || frame['since'] === undefined) return false;
    socket.push({ type: 'error', ref: 'hello', code: 'bad_position', detail: 'unknown position', retry: 'no' });
    return true;
  };
  await clock.advance(5_000);
  assert.equal(phase(client), 'online');
  assert.ok(!('since' in server.socket.frames[0]!));
});

test('a dead path is found by a probe and replaced', async () => {
  const { clock, server, client } = await online();
  server.onFrame = (_socket, frame) => frame.type !== 'hello';
  await clock.advance(60_000);
  assert.equal(server.socket.of('unwatch').length, 1);
  await clock.advance(21_000);
  assert.equal(server.sockets.length, 2);
  assert.equal(phase(client), 'online');
});

test('stop ends everything', async () => {
  const { clock, server, client } = await online();
  client.stop();
  assert.equal(server.socket.closed, 1000);
  await clock.advance(120_000);
  assert.equal(server.sockets.length, 1);
  assert.equal(phase(client), 'stopped');
});

test('a bye that is not a restart keeps its code when the close gets lost', async () => {
  const { clock, server, client } = await online();
  server.socket.push({ type: 'bye', code: 'replaced', detail: 'too many sockets', reconnect_after_ms: 1_000 });
  await clock.advance(2_000);
  assert.ok(waits(client, clock) >= 59_000, 'the oldest does not push out the newest in turn');
});

test('a token of somebody else sends nothing of this user', async () => {
  const { server, client } = fixture();
  client.send('c1', 'private');
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'hello') return false;
    socket.push({ type: 'welcome', session_id: 's', user_id: 'eve', device: 'default', position: 'p', server_time: '2026-01-02T03:04:05.000Z' });
    return true;
  };
  client.start();
  await settle();
  assert.equal(phase(client), 'signed_out');
  assert.equal(server.socket.of('send').length, 0);
  assert.equal(client.unsent().length, 1);
});
