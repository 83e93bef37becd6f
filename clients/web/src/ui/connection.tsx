import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useModel } from './context';

/** What the connection does. Online it is said only to a screen reader and by a green dot at the name. */
export function ConnectionBar() {
  const model = useModel();
  const state = model.connection.value;
  const tick = useSignal(Date.now());
  useEffect(() => {
    if (state.phase !== 'waiting') return;
    tick.value = Date.now();
    const timer = setInterval(() => (tick.value = Date.now()), 500);
    return () => clearInterval(timer);
  }, [state]);

  if (state.phase === 'online') return <p class="connection online" role="status" data-state="online">online</p>;
  if (state.phase !== 'waiting') return <p class="connection" role="status" data-state="connecting"><span class="spinner" aria-hidden="true" />connecting…</p>;
  const seconds = Math.max(0, Math.ceil((state.retryAt - tick.value) / 1000));
  return (
    <div class="connection offline" data-state="offline">
      {/* Announced once, not with every second of the countdown. */}
      <span class="unseen" role="status">offline: {state.reason}</span>
      <span aria-hidden="true" title={state.reason}>offline, retrying in {seconds} s</span>
      <button type="button" class="small" onClick={() => model.client.retryNow()}>Retry now</button>
    </div>
  );
}
