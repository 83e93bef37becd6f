import { useSignal } from '@preact/signals';
import type { ConversationView } from '@verbatim/client';
import { briefTime, preview, titleOf, typingText } from '../format';
import { now } from '../model';
import { pathOf, route } from '../route';
import { signOut } from '../session';
import { Avatar } from './avatar';
import { ConnectionBar, ConnectionLine } from './connection';
import { useModel } from './context';
import { Icon } from './icon';
import { NewConversationDialog } from './new-conversation';

export function Sidebar() {
  const model = useModel();
  const creating = useSignal(false);
  return (
    <aside class="sidebar" aria-label="Conversations">
      <header class="bar">
        <Avatar name={model.me} online={model.connection.value.phase === 'online'} />
        <div class="bar-text">
          <h1 class="bar-title" title={model.me}>{model.me}</h1>
          <ConnectionLine />
        </div>
        <button type="button" class="round" aria-label="New conversation" title="New conversation" onClick={() => (creating.value = true)}>
          <Icon name="plus" />
        </button>
        <button type="button" class="round" aria-label="Sign out" title="Sign out" onClick={() => signOut()}>
          <Icon name="signOut" />
        </button>
      </header>
      <ConnectionBar />
      <List onNew={() => (creating.value = true)} />
      <Stranded />
      {creating.value ? <NewConversationDialog onClose={() => (creating.value = false)} /> : null}
    </aside>
  );
}

function List({ onNew }: { onNew(): void }) {
  const model = useModel();
  const { value: conversations } = model.conversations;
  const more = useSignal(false);
  if (conversations.length === 0) {
    if (model.inboxState.value === 'loading') return <p class="empty" role="status">Loading…</p>;
    if (model.inboxState.value === 'failed') return <div class="empty"><p>The conversations could not be read.</p><button type="button" onClick={() => model.loadInbox()}>Try again</button></div>;
    return <div class="empty"><p>No conversations yet.</p><button type="button" class="primary" onClick={onNew}>Start one</button></div>;
  }
  const loadMore = async (list: HTMLElement) => {
    if (more.value || list.scrollHeight - list.scrollTop - list.clientHeight > 400) return;
    more.value = true;
    await model.client.loadMoreInbox().catch(() => {});
    more.value = false;
  };
  return (
    <nav class="list" onScroll={(event) => void loadMore(event.currentTarget)} onKeyDown={moveFocus} aria-label="Conversations, latest first">
      <ul>
        {conversations.map((view) => <Row key={view.id} view={view} />)}
      </ul>
    </nav>
  );
}

/** What was written to a conversation that one is no longer in: not thrown away without a word. */
function Stranded() {
  const { client, conversations, outboxChanged } = useModel();
  void outboxChanged.value;
  void conversations.value;
  const items = client.unsent().filter((item) => item.error?.code === 'conversation_not_found' && !client.inbox.described(item.conversation_id));
  if (items.length === 0) return null;
  return (
    <section class="stranded" aria-label="Messages that could not be sent">
      <h2>Not sent: you are no longer a member</h2>
      <ul>
        {items.map((item) => (
          <li key={item.key}>
            <span class="row-preview">{item.text}</span>
            <button type="button" class="small" onClick={() => client.discardSend(item.key)}>Discard</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Arrow keys move between the conversations, as Tab does. */
function moveFocus(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a')];
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[at + (event.key === 'ArrowDown' ? 1 : -1)]?.focus();
  event.preventDefault();
}

function Row({ view }: { view: ConversationView }) {
  const model = useModel();
  // Read so that the row follows presence and typing.
  void model.presenceChanged.value;
  void model.typingChanged.value;
  void model.outboxChanged.value;
  const title = titleOf(view);
  const online = view.peer !== undefined && (model.client.presence(view.peer)?.online ?? false);
  const typing = typingText(model.client.typingUsers(view.id), view.kind === 'direct');
  const unsent = model.client.unsent(view.id);
  const failed = unsent.some((item) => item.state === 'failed');
  const draft = model.drafts.get(view.id);
  const current = route.value.conversation === view.id;
  return (
    <li>
      <a href={pathOf(view.id)} class="row" aria-current={current ? 'page' : undefined} data-conversation={view.id}>
        <Avatar name={title} kind={view.kind} online={online} />
        <span class="row-text">
          <span class="row-top">
            <span class="row-title">{title}</span>
            {online ? <span class="unseen">, online</span> : null}
            <time class="row-time" dateTime={view.active_at}>{briefTime(view.active_at, now.value)}</time>
          </span>
          <span class="row-bottom">
            {typing ? <span class="row-preview typing">{typing}</span>
              : failed ? <span class="row-preview failed">Not sent</span>
              : draft && !current ? <span class="row-preview"><em>Draft:</em> {draft.slice(0, 100)}</span>
              : <span class="row-preview">{unsent.length > 0 ? `You: ${unsent.at(-1)?.text.slice(0, 200)}` : preview(view, model.me)}</span>}
            {view.unread > 0 ? <span class="badge" aria-label={`${view.unread} unread`}>{view.unread > 999 ? '999+' : view.unread}</span> : null}
          </span>
        </span>
      </a>
    </li>
  );
}
