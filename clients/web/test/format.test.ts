import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConversationView } from '@verbatim/client';
import { Drafts } from '../src/drafts';
import { hue, initials, presenceText, preview, typingText, userIdProblem, userIds } from '../src/format';

const view = (change: Partial<ConversationView>): ConversationView => ({
  id: 'c', kind: 'direct', peer: 'bob', history: 'all', posting: 'members', role: 'member', member_count: 2, head_seq: 0, head_rev: 1,
  created_at: '', last_message: null, unread: 0, read: 0, delivered: 0, active_at: '', ...change,
});
const message = { id: 'm', conversation_id: 'c', seq: 1, rev: 2, sender: 'bob', text: 'two\nlines', created_at: '' };

test('a preview is one line and says who', () => {
  assert.equal(preview(view({}), 'ann'), 'No messages yet');
  assert.equal(preview(view({ last_message: message }), 'ann'), 'two lines');
  assert.equal(preview(view({ last_message: message }), 'bob'), 'You: two lines');
  assert.equal(preview(view({ kind: 'group', last_message: message }), 'ann'), 'bob: two lines');
  assert.equal(preview(view({ kind: 'group', member_count: 1 }), 'ann'), '1 member, no messages yet');
  assert.equal(preview(view({ last_message: { ...message, deleted_at: '2026-01-01' } }), 'ann'), 'Message deleted');
});

test('presence in words', () => {
  const now = Date.parse('2026-05-05T12:00:00Z');
  const seen = (last_seen: string | null, online = false) => presenceText({ user_id: 'bob', online, last_seen }, now);
  assert.equal(presenceText(null, now), '');
  assert.equal(seen(null, true), 'online');
  assert.equal(seen(null), 'offline');
  assert.equal(seen('2026-05-05T11:59:40Z'), 'last seen just now');
  assert.equal(seen('2026-05-05T11:48:00Z'), 'last seen 12 min ago');
  assert.match(seen('2026-04-01T11:48:00Z'), /^last seen .*Apr|^last seen .*4/);
});

test('user ids as people type them', () => {
  assert.deepEqual(userIds(' bob, carol;dave\nbob '), ['bob', 'carol', 'dave']);
  for (const good of ['ann', 'a.b-c_d@e:f', '!', 'x'.repeat(128)]) assert.equal(userIdProblem(good), null, good);
  for (const bad of ['', 'a b', 'é', 'a/b', 'a,b', 'a"b', 'x'.repeat(129)]) assert.notEqual(userIdProblem(bad), null, bad);
});

test('names get two letters and a lasting colour', () => {
  assert.equal(initials('ann'), 'A');
  assert.equal(initials('ann.lee'), 'AL');
  assert.equal(initials('🦉 owl'), '🦉O');
  assert.equal(hue('ann'), hue('ann'));
});

test('who types', () => {
  assert.equal(typingText([], false), '');
  assert.equal(typingText(['bob'], true), 'typing…');
  assert.equal(typingText(['bob', 'cid'], false), 'bob and cid are typing…');
  assert.equal(typingText(['a', 'b', 'c'], false), '3 people are typing…');
});

test('drafts outlive the page, are of one user each, and are bounded', () => {
  const held = new Map<string, string>();
  const storage = { getItem: (key: string) => held.get(key) ?? null, setItem: (key: string, value: string) => void held.set(key, value) };
  const drafts = new Drafts('ann', storage);
  drafts.set('c1', 'half a sent');
  assert.equal(new Drafts('ann', storage).get('c1'), 'half a sent');
  assert.equal(new Drafts('bob', storage).get('c1'), '');
  drafts.set('c1', '');
  assert.equal(new Drafts('ann', storage).get('c1'), '');
  for (let count = 0; count < 150; count++) drafts.set(`c${count}`, 'x');
  assert.equal(drafts.get('c10'), '');
  assert.equal(drafts.get('c149'), 'x');
  held.set('verbatim.drafts.eve', 'not json');
  assert.equal(new Drafts('eve', storage).get('c1'), '');
});
