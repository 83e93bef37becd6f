import { useEffect, useMemo } from 'preact/hooks';
import { Model } from '../model';
import { route } from '../route';
import { session, type Session } from '../session';
import { Chat } from './chat';
import { ModelContext } from './context';
import { Details } from './details';
import { Sidebar } from './sidebar';
import { SignIn } from './sign-in';

export function App() {
  const who = session.value;
  // A new key makes everything anew, so that nothing of one person is shown to the next.
  return who ? <Workspace key={`${who.userId}/${who.device}`} who={who} /> : <SignIn />;
}

function Workspace({ who }: { who: Session }) {
  // The session's token changes as it is renewed; the model stays.
  const model = useMemo(() => new Model(who), []);
  useEffect(() => {
    model.start();
    return () => model.stop();
  }, [model]);
  const { conversation, details } = route.value;
  return (
    <ModelContext.Provider value={model}>
      <div class={`workspace${conversation ? ' in-chat' : ''}${details ? ' in-details' : ''}`}>
        <Sidebar />
        {conversation ? <Chat key={conversation} id={conversation} /> : <Welcome />}
        {conversation && details ? <Details key={`details ${conversation}`} id={conversation} /> : null}
      </div>
      <div id="notice" class="notice" role="alert" hidden={!model.notice.value}>
        {model.notice.value}
      </div>
      <div class="unseen" aria-live="polite">
        {model.announcement.value}
      </div>
    </ModelContext.Provider>
  );
}

function Welcome() {
  return (
    <main class="welcome">
      <img src="icon.svg" alt="" width="64" height="64" />
      <p>Choose a conversation, or start a new one.</p>
    </main>
  );
}
