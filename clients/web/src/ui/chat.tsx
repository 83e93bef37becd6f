import { useEffect, useRef } from 'preact/hooks';
import { people, presenceText, titleOf, typingText } from '../format';
import { now } from '../model';
import { closeDetails, goTo, goToList, route } from '../route';
import { Avatar } from './avatar';
import { Composer } from './composer';
import { ConnectionBar } from './connection';
import { useModel } from './context';
import { Icon } from './icon';
import { MessageList } from './message-list';

export function Chat({ id }: { id: string }) {
  const model = useModel();
  void model.copyChanged.value;
  const view = model.conversations.value.find((conversation) => conversation.id === id) ?? null;
  const copy = model.client.copy(id);
  /** The first unread seq when the conversation was opened, where the line is drawn. */
  const unreadFrom = useRef<number | null>(null);
  if (unreadFrom.current === null && view && copy?.state === 'ready') unreadFrom.current = view.unread > 0 ? view.read + 1 : 0;

  const escape = (event: KeyboardEvent) => {
    // In a field that is being composed into, Escape ends the composition.
    if (event.key !== 'Escape' || event.isComposing || event.defaultPrevented) return;
    // A dialog closes itself.
    if (document.querySelector('dialog[open]')) return;
    if (route.value.details) return closeDetails(id);
    goToList();
    document.querySelector<HTMLElement>(`[data-conversation="${CSS.escape(id)}"]`)?.focus();
  };
  useEffect(() => {
    document.addEventListener('keydown', escape);
    return () => document.removeEventListener('keydown', escape);
  }, [id]);

  if (!view) {
    return (
      <main class="chat">
        <ChatHeader id={id} />
        <p class="empty" role="status">
          {copy?.state === 'failed' ? 'There is no such conversation, or it could not be read.' : 'Loading…'}
        </p>
        {copy?.state === 'failed' ? <p class="empty"><button type="button" onClick={() => void model.client.open(id)}>Try again</button></p> : null}
      </main>
    );
  }
  const mayPost = view.posting === 'members' || view.role === 'admin';
  return (
    <main class="chat" aria-label={titleOf(view)}>
      <ChatHeader id={id} />
      <MessageList view={view} unreadFrom={unreadFrom.current || null} />
      {mayPost ? <Composer view={view} /> : <p class="read-only">Only admins post here.</p>}
    </main>
  );
}

function ChatHeader({ id }: { id: string }) {
  const model = useModel();
  void model.presenceChanged.value;
  void model.typingChanged.value;
  const view = model.conversations.value.find((conversation) => conversation.id === id) ?? null;
  const presence = view?.peer === undefined ? null : model.client.presence(view.peer);
  const typing = view ? typingText(model.client.typingUsers(id), view.kind === 'direct') : '';
  const about = !view ? '' : view.kind === 'direct' ? presenceText(presence, now.value) : people(view.member_count);
  return (
    <>
      <header class="bar">
        <button type="button" class="round back" aria-label="Back to conversations" onClick={goToList}><Icon name="back" /></button>
        {view ? <Avatar name={titleOf(view)} kind={view.kind} online={presence?.online ?? false} /> : null}
        <div class="bar-text">
          <h2 class="bar-title">{view ? titleOf(view) : ''}</h2>
          <p class={typing ? 'bar-about typing' : 'bar-about'} role="status">{typing || about}</p>
        </div>
        {view && view.kind !== 'direct' ? (
          <button type="button" class="round" aria-label="Members" aria-expanded={route.value.details} title="Members" onClick={() => (route.value.details ? closeDetails(id) : goTo(id, true))}>
            <Icon name="info" />
          </button>
        ) : null}
      </header>
      <div class="narrow-only"><ConnectionBar /></div>
    </>
  );
}
