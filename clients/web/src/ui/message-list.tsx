import { useSignal } from '@preact/signals';
import { Fragment } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { progress, type ConversationView } from '@verbatim/client';
import { dayName, sameDay } from '../format';
import { now } from '../model';
import { useModel } from './context';
import { Icon } from './icon';
import { Bubble, UnsentBubble } from './bubble';

/** Nearer to the bottom than this counts as being there, so that new messages keep it there. */
const NEAR_PX = 80;
/** Nearer to the top than this, the page before is read. */
const EARLY_PX = 400;
/** Messages of one sender closer than this are shown as one. */
const TOGETHER_MS = 5 * 60_000;
/** Kept when one is back at the bottom. */
const KEPT = 500;

export function MessageList({ view, unreadFrom }: { view: ConversationView; unreadFrom: number | null }) {
  const model = useModel();
  void model.copyChanged.value;
  void model.outboxChanged.value;
  const copy = model.client.copy(view.id);
  const unsent = model.client.unsent(view.id);
  const messages = copy?.messages ?? [];
  const box = useRef<HTMLDivElement>(null);
  const atBottom = useSignal(true);
  const missed = useSignal(0);
  /** What the last layout was of, to keep the place when older messages come in above. */
  const before = useRef({ first: 0, last: 0, unsent: 0, height: 0, ready: false });

  const ready = copy?.state === 'ready' || messages.length > 0;
  const first = messages[0]?.seq ?? 0;
  const last = messages.at(-1)?.seq ?? 0;
  const progressOf = copy && view.kind !== 'channel' ? progress(copy, model.me, view.peer) : () => 'sent' as const;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !ready) return;
    const was = before.current;
    if (!was.ready) {
      const line = element.querySelector<HTMLElement>('.unread-line');
      // A third of the box is left above the line, for what it follows on.
      element.scrollTop = line ? line.offsetTop - element.clientHeight / 3 : element.scrollHeight;
    } else if (first < was.first) {
      element.scrollTop += element.scrollHeight - was.height;
    } else if (unsent.length > was.unsent || atBottom.peek()) {
      element.scrollTop = element.scrollHeight;
    } else if (last > was.last) {
      missed.value += last - was.last;
    }
    before.current = { first, last, unsent: unsent.length, height: element.scrollHeight, ready: true };
    look(element);
  });

  // A keyboard that opens, or a message field that grows, must not push the latest message out of sight.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (atBottom.peek()) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  /** What is on the screen of a window that one looks at is read. */
  const read = () => {
    if (atBottom.peek() && document.visibilityState === 'visible' && document.hasFocus()) model.client.markRead(view.id);
  };
  useEffect(() => {
    read();
    window.addEventListener('focus', read);
    document.addEventListener('visibilitychange', read);
    return () => {
      window.removeEventListener('focus', read);
      document.removeEventListener('visibilitychange', read);
    };
  });

  const older = () => {
    if (copy?.hasOlder && !copy.loadingOlder) model.client.loadOlder(view.id).catch(() => model.tell('Older messages could not be read. Scroll to try again.'));
  };
  const look = (element: HTMLElement) => {
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
    atBottom.value = near;
    if (near) missed.value = 0;
    if (element.scrollTop < EARLY_PX && element.scrollHeight > element.clientHeight) older();
    else if (near) copy?.trim(KEPT);
  };
  const toBottom = () => {
    const element = box.current;
    if (element) element.scrollTop = element.scrollHeight;
  };

  return (
    <div class="messages-frame">
      <div
        class="messages"
        ref={box}
        role="log"
        aria-live="off"
        aria-label="Messages"
        tabIndex={0}
        onScroll={(event) => { look(event.currentTarget); read(); }}
      >
        {!ready ? <p class="empty" role="status">{copy?.state === 'failed' ? 'The messages could not be read.' : 'Loading…'}</p> : null}
        {ready && copy && !copy.hasOlder ? <p class="beginning">{messages.length === 0 && unsent.length === 0 ? 'No messages yet. Say hello!' : 'The beginning of this conversation'}</p> : null}
        {copy?.hasOlder ? <button type="button" class="older small" onClick={older} disabled={copy.loadingOlder}>{copy.loadingOlder ? 'Loading…' : 'Older messages'}</button> : null}
        <ol>
          {messages.map((message, index) => {
            const previous = messages[index - 1];
            const at = Date.parse(message.created_at);
            const newDay = !previous || !sameDay(Date.parse(previous.created_at), at);
            const line = unreadFrom !== null && message.seq >= unreadFrom && (!previous || previous.seq < unreadFrom);
            const joined = !newDay && !line && previous?.sender === message.sender && at - Date.parse(previous.created_at) < TOGETHER_MS;
            const own = message.sender === model.me;
            return (
              <Fragment key={message.seq}>
                {newDay ? <li class="day"><span>{dayName(at, now.value)}</span></li> : null}
                {line ? <li class="unread-line"><span>New messages</span></li> : null}
                <Bubble
                  message={message}
                  own={own}
                  joined={joined}
                  named={!own && !joined && view.kind !== 'direct'}
                  progress={own ? progressOf(message) : null}
                />
              </Fragment>
            );
          })}
          {unsent.map((item, index) => <UnsentBubble key={item.key} item={item} joined={index > 0 || messages.at(-1)?.sender === model.me} />)}
        </ol>
      </div>
      {!atBottom.value && ready ? (
        <button type="button" class="to-bottom" onClick={toBottom} aria-label={missed.value > 0 ? `${missed.value} new messages, go to the latest` : 'Go to the latest message'}>
          {missed.value > 0 ? <span class="badge">{missed.value}</span> : null}
          <Icon name="down" />
        </button>
      ) : null}
    </div>
  );
}
