import type { ConversationView, Presence } from '@verbatim/client';

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const shortWeekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const longDate = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

const DAY_MS = 86_400_000;

const startOfDay = (at: number) => new Date(at).setHours(0, 0, 0, 0);
const daysAgo = (at: number, now: number) => Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);

export const clockTime = (at: string | number) => time.format(new Date(at));
export const fullTime = (at: string | number) => full.format(new Date(at));

/** For a list: the time today, the weekday this week, else the date. */
export function briefTime(at: string, now: number): string {
  const when = Date.parse(at);
  if (Number.isNaN(when)) return '';
  const days = daysAgo(when, now);
  if (days <= 0) return time.format(when);
  if (days === 1) return 'Yesterday';
  return days < 7 ? shortWeekday.format(when) : shortDate.format(when);
}

/** For the line between two days. */
export function dayName(at: number, now: number): string {
  const days = daysAgo(at, now);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return days < 7 ? weekday.format(at) : longDate.format(at);
}

export const sameDay = (a: number, b: number) => startOfDay(a) === startOfDay(b);

export function presenceText(presence: Presence | null, now: number): string {
  if (!presence) return '';
  if (presence.online) return 'online';
  if (!presence.last_seen) return 'offline';
  const at = Date.parse(presence.last_seen);
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return 'last seen just now';
  if (minutes < 60) return `last seen ${minutes} min ago`;
  const days = daysAgo(at, now);
  if (days <= 0) return `last seen today at ${time.format(at)}`;
  if (days === 1) return `last seen yesterday at ${time.format(at)}`;
  return `last seen ${shortDate.format(at)}`;
}

export function titleOf(conversation: ConversationView): string {
  return conversation.kind === 'direct' ? (conversation.peer ?? 'Direct message') : (conversation.name ?? 'Unnamed');
}

/** One line of a list's preview, whatever line breaks the message has. */
export function preview(conversation: ConversationView, me: string): string {
  const last = conversation.last_message;
  if (!last) return conversation.kind === 'direct' ? 'No messages yet' : `${people(conversation.member_count)}, no messages yet`;
  if (last.deleted_at) return 'Message deleted';
  const who = last.sender === me ? 'You: ' : conversation.kind === 'direct' ? '' : `${last.sender}: `;
  return who + last.text.slice(0, 200).replace(/\s+/g, ' ');
}

export const people = (count: number) => (count === 1 ? '1 member' : `${count.toLocaleString()} members`);

export function initials(name: string): string {
  const words = name.split(/[\s._@-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[1]] : [words[0] ?? name];
  return letters.map((word) => [...(word ?? '')][0] ?? '').join('').toUpperCase();
}

/** One of eight colours, the same for a name everywhere. */
export function hue(name: string): number {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % 8;
}

export function typingText(users: string[], direct: boolean): string {
  if (users.length === 0) return '';
  if (direct) return 'typing…';
  if (users.length === 1) return `${users[0]} is typing…`;
  if (users.length === 2) return `${users[0]} and ${users[1]} are typing…`;
  return `${users.length} people are typing…`;
}

/** User ids as people type them into one field: apart by commas, semicolons, spaces or lines. */
export function userIds(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

/** The interface's rule for user ids; null when it holds, else what is wrong. */
export function userIdProblem(id: string): string | null {
  if (id === '') return 'Enter a name.';
  if (id.length > 128) return 'A name has at most 128 characters.';
  return /^[\x21-\x7e]+$/.test(id) && !/[/?#%"\\,<>]/.test(id) ? null : 'Use letters, digits and . _ - @ : without spaces.';
}
