import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { systemClock } from '@verbatim/client';
import { useModel } from './context';

/** The connection in a word, for the line below the name. */
export function ConnectionLine() {
  const { phase } = useModel().connection.value;
  const online = phase === 'online';
  const text = online ? 'online' : phase === 'waiting' ? 'offline' : 'connecting…';
  return (
    <p class={`bar-about${online ? ' good' : ''}`} role="status" data-state={online ? 'online' : phase === 'waiting' ? 'offline' : 'connecting'}>
      {text}
    </p>
  );
}

/** While there is no connection: why, until when, and a way to try at once. */
export function ConnectionBar() {
  const model = useModel();
  const state = model.connection.value;
  const tick = useSignal(systemClock.now());
  useEffect(() => {
    if (state.phase !== 'waiting') return;
    tick.value = systemClock.now();
    const timer = setInterval(() => (tick.value = systemClock.now()), 500);
    return () => clearInterval(timer);
  }, [state]);

  // A first connection and a quick return need no bar that comes and goes.
  if (state.phase !== 'waiting' && !(state.phase === 'connecting' && state.attempt > 1)) return null;
  const seconds = state.phase === 'waiting' ? Math.max(0, Math.ceil((state.retryAt - tick.value) / 1000)) : 0;
  return (
    <div class="connection">
      <span title={state.phase === 'waiting' ? state.reason : undefined}>
        {state.phase === 'waiting' ? `Offline, retrying in ${seconds} s` : 'Offline, trying…'}
      </span>
      <button type="button" class="small" disabled={state.phase !== 'waiting'} onClick={() => model.client.retryNow()}>Retry now</button>
    </div>
  );
}
