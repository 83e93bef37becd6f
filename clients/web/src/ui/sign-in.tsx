import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { userIdProblem } from '../format';
import { endedBecause, signInDev, signInWithToken } from '../session';

export function SignIn() {
  const mode = useSignal<'name' | 'token'>('name');
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), [mode.value]);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    const value = field.current?.value.trim() ?? '';
    problem.value = mode.value === 'name' ? userIdProblem(value) : null;
    if (problem.value) return;
    busy.value = true;
    try {
      if (mode.value === 'token') signInWithToken(value);
      else if (!(await signInDev(value))) mode.value = 'token';
    } catch (error) {
      problem.value = (error as Error).message;
    } finally {
      busy.value = false;
    }
  };

  return (
    <main class="sign-in">
      <form onSubmit={submit} noValidate>
        <img src="icon.svg" alt="" width="56" height="56" />
        <h1>Verbatim</h1>
        <p class="tagline">Chat that never loses a word.</p>
        {endedBecause.value ? <p class="hint" role="status">You were signed out: {endedBecause.value}.</p> : null}
        {mode.value === 'name' ? (
          <label>
            Your name
            <input ref={field} name="user" autocomplete="username" autocapitalize="none" spellcheck={false} maxLength={128} placeholder="ann" aria-describedby="sign-in-problem" />
          </label>
        ) : (
          <>
            <p class="hint" role="status">
              This server does not hand out tokens for development. Paste a token (a JWT) that your app's back end made for you: its “sub” is your
              user id. It stays in this tab only.
            </p>
            <label>
              Token
              <textarea ref={field} name="token" rows={5} spellcheck={false} autocomplete="off" placeholder="eyJ…" aria-describedby="sign-in-problem" />
            </label>
          </>
        )}
        <p id="sign-in-problem" class="problem" role="alert">{problem.value}</p>
        <button class="primary" type="submit" disabled={busy.value}>
          {busy.value ? 'Signing in…' : 'Sign in'}
        </button>
        {mode.value === 'token' ? (
          <button class="plain" type="button" onClick={() => { mode.value = 'name'; problem.value = null; }}>
            Back
          </button>
        ) : (
          <p class="hint">Each tab has its own sign-in, so two windows can be two people.</p>
        )}
      </form>
    </main>
  );
}
