import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry, VerbatimClient } from '../src/index.js';
import { fixture, online, phase, settle, type FakeServer } from './harness.js';

const withRoom = (server: FakeServer) => void server.room('c1');
const texts = (client: VerbatimClient) => client.copy('c1')?.messages.map((message) => message.text);

function record(client: VerbatimClient): number[] {
  const revs: number[] = [];
  client.events.on('entry', (entry) => revs.push(entry.rev));
  return revs;
}

test('opening reads messages and starts at the head', async () => {
  const { server, client } = await online({}, (s) => { s.room('c1'); });
  server.say('c1', 'bob', 'before', { push: false });
  const copy = await client.open('c1');
  assert.equal(copy.state, 'ready');
  assert.deepEqual(texts(client), ['before']);
  server.say('c1', 'bob', 'after');
  assert.deepEqual(texts(client), ['before', 'after']);
  assert.equal(server.socket.of('fetch').length, 0);
  const messages = server.calls.find((call) => call.path.endsWith('/messages'));
  assert.equal(messages?.headers['verbatim-after'], 'r2', 'the page includes the head that was read before it');
});

test('duplicates are dropped, gaps are fetched, order is kept', async () => {
  const { server, client } = await online({}, withRoom);
  await client.open('c1');
  const revs = record(client);
  const first = server.say('c1', 'bob', 'a');
  server.socket.push({ type: 'entry', ...first });
  server.say('c1', 'bob', 'lost 1', { push: false });
  server.say('c1', 'bob', 'lost 2', { push: false });
  server.say('c1', 'bob', 'd');
  assert.deepEqual(revs, [2], 'what lies beyond the gap waits');
  await settle();
  assert.deepEqual(revs, [2, 3, 4, 5]);
  assert.deepEqual(texts(client), ['a', 'lost 1', 'lost 2', 'd']);
  assert.deepEqual(server.socket.of('fetch').map((frame) => frame['after']), [2]);
});

test('long gaps come in pages, one fetch at a time', async () => {
  const { server, client } = await online({}, (s) => { s.room('c1'); s.room('c2'); });
  await client.open('c1');
  await client.open('c2');
  const revs = record(client);
  const answers: Array<() => void> = [];
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'fetch') return false;
    answers.push(() => {
      const all = server.rooms.get(frame['conversation_id'])!.entries;
      const items = all.filter((entry) => entry.rev > frame['after']).slice(0, 2);
      const last = items.at(-1)!.rev;
      socket.push({ type: 'entries', ref: frame.ref as string, conversation_id: frame['conversation_id'], items, next: last < all.length ? last : null, head_rev: all.length } as never);
    });
    return true;
  };
  for (const text of ['a', 'b', 'c', 'd']) server.say('c1', 'bob', text, { push: false });
  server.say('c2', 'bob', 'x', { push: false });
  server.socket.push(server.allHeads());
  const counts: number[] = [];
  for (let round = 0; round < 3; round++) {
    await settle();
    counts.push(server.socket.of('fetch').length);
    answers.shift()!();
  }
  await settle();
  assert.deepEqual(counts, [1, 2, 3]);
  assert.deepEqual(server.socket.of('fetch').map((frame) => [frame['conversation_id'], frame['after']]), [['c1', 1], ['c1', 3], ['c2', 1]]);
  assert.deepEqual(revs, [2, 3, 4, 5, 2]);
});

test('after a reconnection only what was missed is fetched', async () => {
  const { clock, server, client } = await online({}, withRoom);
  await client.open('c1');
  server.say('c1', 'bob', 'a');
  server.socket.drop(1006);
  server.say('c1', 'bob', 'b', { push: false });
  server.say('c1', 'bob', 'c', { push: false });
  await clock.advance(1_000);
  assert.deepEqual(texts(client), ['a', 'b', 'c']);
  assert.deepEqual(server.socket.of('fetch').map((frame) => frame['after']), [2]);
});

test('a gap that a lost connection left open is closed even if heads no longer name it', async () => {
  const { clock, server, client } = await online({}, withRoom);
  await client.open('c1');
  server.onFrame = (_socket, frame) => frame.type === 'fetch';
  server.say('c1', 'bob', 'lost', { push: false });
  server.say('c1', 'bob', 'seen');
  await settle();
  server.onFrame = () => false;
  server.heads = (since) => [since ? { type: 'heads', items: [], more: false } : server.allHeads()];
  server.socket.drop(1006);
  await clock.advance(1_000);
  assert.deepEqual(texts(client), ['lost', 'seen']);
});

test('entries of unknown kinds and hidden ones count', async () => {
  const { server, client } = await online({}, withRoom);
  await client.open('c1');
  const room = server.rooms.get('c1')!;
  for (const kind of ['hidden', 'reaction_added']) {
    const entry: Entry = { conversation_id: 'c1', rev: room.entries.length + 1, kind };
    room.entries.push(entry);
    server.socket.push({ type: 'entry', ...entry });
  }
  server.say('c1', 'bob', 'next');
  await settle();
  assert.equal(server.socket.of('fetch').length, 0);
  assert.deepEqual(texts(client), ['next']);
});

test('revs before the own joining are left out without a gap', async () => {
  const { server, client, errors } = await online({ followAll: true });
  const revs = record(client);
  server.room('c9').entries.push(...[2, 3, 4].map((rev) => ({ conversation_id: 'c9', rev, kind: 'hidden' })));
  const joined: Entry = { conversation_id: 'c9', rev: 5, kind: 'member_added', at: '2026-01-02T00:00:00.000Z', actor: 'bob', member: { user_id: 'ann', role: 'member', since: '2026-01-02T00:00:00.000Z' } };
  server.rooms.get('c9')!.entries.push(joined);
  server.socket.push({ type: 'entry', ...joined });
  server.say('c9', 'bob', 'welcome');
  await settle();
  assert.deepEqual(revs, [5, 6]);
  assert.equal(server.socket.of('fetch').length, 0);
  assert.deepEqual(errors, []);
  assert.equal(client.inbox.get('c9')?.kind, 'group', 'what it is was read');
});

test('a server that lags is asked again, and what is never shown is skipped loudly', async () => {
  const { clock, server, client, errors } = await online({}, withRoom);
  await client.open('c1');
  let lagging = 2;
  server.onFrame = (socket, frame) => {
    if (frame.type !== 'fetch' || lagging-- <= 0) return false;
    socket.push({ type: 'entries', ref: frame.ref as string, conversation_id: 'c1', items: [], next: null, head_rev: 1 } as never);
    return true;
  };
  server.say('c1', 'bob', 'late', { push: false });
  server.say('c1', 'bob', 'now');
  await clock.advance(5_000);
  assert.deepEqual(texts(client), ['late', 'now']);
  assert.deepEqual(errors, []);

  server.rooms.get('c1')!.entries.push({ conversation_id: 'c1', rev: 4, kind: 'hidden' });
  lagging = 100;
  server.say('c1', 'bob', 'beyond');
  await clock.advance(60_000);
  assert.deepEqual(errors, ['gap']);
  assert.equal(texts(client)?.at(-1), 'beyond');
});

test('a copy that misses too much is read anew', async () => {
  const { clock, server, client } = await online({ maxGap: 10 }, withRoom);
  await client.open('c1');
  const resets: string[] = [];
  client.events.on('reset', (id) => resets.push(id));
  server.socket.drop(1006);
  for (let count = 0; count < 120; count++) server.say('c1', 'bob', `m${count}`, { push: false });
  await clock.advance(2_000);
  assert.deepEqual(resets, ['c1']);
  assert.equal(server.socket.of('fetch').length, 0);
  assert.equal(client.copy('c1')?.messages.length, 50);
  assert.equal(client.copy('c1')?.hasOlder, true);
  server.say('c1', 'bob', 'live');
  assert.equal(texts(client)?.at(-1), 'live');
});

test('what arrives while a copy is being read is neither lost nor doubled', async () => {
  const { server, client } = await online({}, withRoom);
  server.say('c1', 'bob', 'a');
  const revs = record(client);
  server.rooms.get('c1')!.lag = 1;
  const opened = client.open('c1');
  server.say('c1', 'bob', 'b');
  await opened;
  await settle();
  assert.deepEqual(texts(client), ['a', 'b']);
  assert.deepEqual(revs, [3], 'the app heard of each entry once');
});

test('left: nothing of the conversation stays', async () => {
  const { server, client } = await online({}, withRoom);
  await client.loadInbox();
  await client.open('c1');
  const left: string[] = [];
  client.events.on('left', (id) => left.push(id));
  server.socket.push({ type: 'left', conversation_id: 'c1' });
  assert.deepEqual(left, ['c1']);
  assert.equal(client.copy('c1'), null);
  assert.deepEqual(client.inbox.list(), []);
});

test('partitions that are behind keep the position where it was', async () => {
  const { clock, server, client } = await online({}, withRoom);
  server.heads = () => [{ type: 'heads', items: [], more: false, behind: true }];
  server.socket.drop(1006);
  await clock.advance(1_000);
  assert.equal(server.socket.frames[0]?.['since'], 'p1');
  server.socket.drop(1006);
  await clock.advance(2_000);
  assert.equal(server.socket.frames[0]?.['since'], 'p1', 'p2 does not cover what was behind');
  server.socket.push(server.allHeads());
  await clock.advance(1_000);
  server.socket.drop(1006);
  await clock.advance(3_000);
  assert.equal(phase(client), 'online');
  assert.equal(server.socket.frames[0]?.['since'], 'p3');
});

test('heads that could not name all make open copies ask', async () => {
  const { clock, server, client } = await online({}, withRoom);
  await client.open('c1');
  server.socket.drop(1006);
  server.say('c1', 'bob', 'missed', { push: false });
  server.heads = () => [{ type: 'heads', items: [], more: true }];
  await clock.advance(3_000);
  assert.deepEqual(texts(client), ['missed']);
});

test('where a position is not taken, what was left meanwhile is gone, however many conversations there are', async () => {
  const { clock, server, client } = await online({}, (server) => {
    for (const id of ['c1', 'c2']) server.room(id);
  });
  await client.loadInbox();
  server.socket.drop(1006);
  server.rooms.delete('c2');
  server.resumes = false;
  server.heads = () => [{ ...server.allHeads(), more: true }];
  await clock.advance(5_000);
  assert.deepEqual(client.inbox.list().map((view) => view.id), ['c1']);
});

test('a log that was restored from a copy: what is known is read anew', async () => {
  const { clock, server, client } = await online({}, withRoom);
  for (const text of ['a', 'b', 'lost', 'lost too']) server.say('c1', 'bob', text);
  await client.open('c1');
  await client.loadInbox();
  await clock.advance(1_000);
  assert.deepEqual(texts(client), ['a', 'b', 'lost', 'lost too']);
  server.socket.drop(1006);
  const room = server.rooms.get('c1');
  room?.entries.splice(3);
  server.resumes = false;
  await clock.advance(5_000);
  assert.deepEqual(texts(client), ['a', 'b'], 'and nothing that the log does not hold');
  server.say('c1', 'bob', 'new');
  await clock.advance(1_000);
  assert.deepEqual(texts(client), ['a', 'b', 'new']);
  assert.equal(client.inbox.get('c1')?.head_seq, 3);
});

test('a session that ended before its heads were whole: entries, what was left and what was read are told', async () => {
  const early = fixture();
  for (const id of ['c1', 'c2']) early.server.room(id);
  early.client.start();
  await early.clock.advance(200);
  await early.client.loadInbox();
  await early.client.open('c1');
  await early.client.open('c2');
  const entries: number[] = [];
  const left: string[] = [];
  early.client.events.on('entry', (entry) => entries.push(entry.rev));
  early.client.events.on('left', (id) => left.push(id));
  early.server.socket.drop(1006);
  early.server.say('c1', 'bob', 'missed', { push: false });
  early.server.rooms.delete('c2');
  await early.clock.advance(5_000);
  early.server.say('c1', 'bob', 'live');
  await early.clock.advance(1_000);
  assert.equal(early.server.socket.frames[0]?.['since'], undefined);
  assert.deepEqual([entries, left], [[2, 3], ['c2']]);
});

test('a log that went back while the position was taken shows by another message in the place of one', async () => {
  const { clock, server, client } = await online({}, withRoom);
  await client.open('c1');
  for (const text of ['a', 'lost', 'lost too']) server.say('c1', 'bob', text);
  await clock.advance(1_000);
  const resets: string[] = [];
  client.events.on('reset', (id) => resets.push(id));
  server.socket.drop(1006);
  server.rooms.get('c1')?.entries.splice(2);
  await clock.advance(5_000);
  assert.deepEqual(texts(client), ['a', 'lost', 'lost too'], 'nothing tells yet');
  server.say('c1', 'bob', 'new', { messageId: 'm-new' });
  await clock.advance(5_000);
  assert.deepEqual(texts(client), ['a', 'new']);
  assert.deepEqual(resets, ['c1']);
});

test('a program that follows all goes on after a log that went back', async () => {
  const { clock, server, client } = await online({ followAll: true }, withRoom);
  const revs = record(client);
  for (const text of ['a', 'b', 'lost']) server.say('c1', 'bob', text);
  server.socket.drop(1006);
  server.rooms.get('c1')?.entries.splice(3);
  server.resumes = false;
  await clock.advance(5_000);
  server.say('c1', 'bob', 'new');
  await clock.advance(1_000);
  assert.deepEqual(revs, [2, 3, 4, 4], 'each once, and what took the place of what was lost');
});

test('a program that follows all gets each entry in order, also over a reconnection', async () => {
  const { clock, server, client } = await online({ followAll: true }, withRoom);
  const revs = record(client);
  server.say('c1', 'bob', 'a');
  server.socket.drop(1006);
  server.say('c1', 'bob', 'b', { push: false });
  await clock.advance(1_000);
  server.say('c1', 'bob', 'c');
  assert.deepEqual(revs, [2, 3, 4]);
});

test('history is paged back', async () => {
  const { server, client } = await online({}, withRoom);
  for (let count = 1; count <= 120; count++) server.say('c1', 'bob', `m${count}`, { push: false });
  const copy = await client.open('c1');
  assert.equal(copy.messages[0]?.seq, 71);
  assert.equal(await client.loadOlder('c1'), true);
  assert.equal(await client.loadOlder('c1'), true);
  assert.equal(copy.messages[0]?.seq, 1);
  assert.equal(copy.hasOlder, false);
  assert.equal(await client.loadOlder('c1'), false);
});

test('a connection that is lost before all heads came resumes from before', async () => {
  const { clock, server } = await online({}, withRoom);
  server.socket.drop(1006);
  await clock.advance(700);
  assert.equal(server.sockets.length, 2);
  server.socket.drop(1006);
  await clock.advance(2_000);
  assert.equal(server.socket.frames[0]?.['since'], 'p1', 'frames of the second welcome may be missing');
});

test('a server that knows nothing of a position names all, and what it does not name is gone', async () => {
  const { clock, server, client } = await online({}, (s) => { s.room('c1'); s.room('c2'); });
  await client.loadInbox();
  server.rooms.delete('c2');
  server.onFrame = (socket, frame) => frame.type === 'hello' && frame['since'] !== undefined && (socket.push({ type: 'error', ref: 'hello', code: 'bad_position', detail: 'unknown', retry: 'no' }), true);
  server.socket.drop(1006);
  await clock.advance(5_000);
  assert.deepEqual(client.inbox.list().map((view) => view.id), ['c1']);
});

test('after a full frame of heads the next is waited for', async () => {
  const { clock, server } = await online({}, withRoom);
  const items = Array.from({ length: 200 }, (_, count) => ({ conversation_id: `r${count}`, head_rev: 1, head_seq: 0, unread: 0, read: 0 }));
  server.heads = () => [{ type: 'heads', items, more: false }];
  server.socket.drop(1006);
  await clock.advance(5_000);
  server.socket.drop(1006);
  await clock.advance(5_000);
  assert.equal(server.socket.frames[0]?.['since'], 'p1', 'another frame belongs to the welcome');
  server.socket.push({ type: 'heads', items: items.slice(0, 3), more: false });
  await clock.advance(2_000);
  server.socket.drop(1006);
  await clock.advance(5_000);
  assert.equal(server.socket.frames[0]?.['since'], 'p3');
});

test('nothing is gone while partitions are behind', async () => {
  const { clock, server, client } = fixture();
  for (const id of ['c1', 'c2', 'c3']) server.room(id);
  await client.loadInbox();
  server.rooms.delete('c3');
  const head = (id: string) => ({ conversation_id: id, head_rev: 1, head_seq: 0, unread: 0, read: 0 });
  server.heads = () => [{ type: 'heads', items: [], more: false, behind: true }];
  client.start();
  await clock.advance(5_000);
  server.socket.push({ type: 'heads', items: [head('c1')], more: false, behind: true });
  await clock.advance(5_000);
  const ids = () => client.inbox.list().map((view) => view.id).sort();
  assert.deepEqual(ids(), ['c1', 'c2', 'c3']);
  server.socket.push({ type: 'heads', items: [head('c2')], more: false });
  await clock.advance(5_000);
  assert.deepEqual(ids(), ['c1', 'c2'], 'what no partition named is gone');
});
