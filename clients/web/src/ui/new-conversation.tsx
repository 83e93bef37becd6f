import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ConversationView } from '@verbatim/client';
import { userIdProblem, userIds } from '../format';
import { goTo } from '../route';
import { useModel } from './context';
import { Icon } from './icon';

type Kind = 'direct' | 'group' | 'channel';
const KINDS: Array<[Kind, string]> = [['direct', 'Direct'], ['group', 'Group'], ['channel', 'Channel']];
const HINTS: Record<Kind, string> = {
  direct: 'A conversation between you and one other person.',
  group: 'Members see what is written from the time they join.',
  channel: 'For many readers; everyone who joins sees all of it.',
};
/** Of the interface, at creation; more are added afterwards. */
const MAX_MEMBERS = 100;

export function NewConversationDialog({ onClose }: { onClose(): void }) {
  const model = useModel();
  const dialog = useRef<HTMLDialogElement>(null);
  const kind = useSignal<Kind>('direct');
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);
  useEffect(() => dialog.current?.showModal(), []);
  // Through the dialog, which gives the focus back to where it was.
  const close = () => dialog.current?.close();

  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(data.get(name) ?? '').trim();
    busy.value = true;
    problem.value = null;
    try {
      const made = kind.value === 'direct' ? await direct(text('user')) : await create(kind.value, text('name'), userIds(text('members')), data.has('announce'));
      close();
      goTo(made.id);
    } catch (error) {
      problem.value = (error as Error).message;
    } finally {
      busy.value = false;
    }
  };
  const direct = (user: string): Promise<ConversationView> => {
    const wrong = userIdProblem(user) ?? (user === model.me ? 'That is you: name someone else.' : null);
    if (wrong) throw new Error(wrong);
    return model.client.direct(user);
  };
  const create = (what: 'group' | 'channel', name: string, members: string[], announce: boolean): Promise<ConversationView> => {
    const others = members.filter((member) => member !== model.me);
    const wrong = others.map((member) => (userIdProblem(member) ? `“${member}” can't be a user: ${userIdProblem(member)}` : null)).find(Boolean);
    if (name === '' || [...name].length > 128) throw new Error('Give it a name of 1 to 128 characters.');
    if (wrong) throw new Error(wrong);
    if (others.length > MAX_MEMBERS) throw new Error(`Start with at most ${MAX_MEMBERS} members and add the rest afterwards.`);
    return model.client.create({ kind: what, name, members: others, ...(announce ? { posting: 'admins' } : {}) });
  };

  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="new-title" onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <header>
          <h2 id="new-title">New conversation</h2>
          <button type="button" class="round" aria-label="Close" onClick={close}><Icon name="close" /></button>
        </header>
        <fieldset class="segments">
          <legend class="unseen">Kind</legend>
          {KINDS.map(([value, label]) => (
            <label key={value}>
              <input type="radio" name="kind" value={value} checked={kind.value === value} onChange={() => { kind.value = value; problem.value = null; }} />
              <span>{label}</span>
            </label>
          ))}
        </fieldset>
        <p class="hint">{HINTS[kind.value]}</p>
        {kind.value === 'direct' ? (
          <label>With<input name="user" autocapitalize="none" autocomplete="off" spellcheck={false} placeholder="bob" autofocus /></label>
        ) : (
          <>
            <label>Name<input name="name" autocomplete="off" maxLength={128} placeholder={kind.value === 'group' ? 'Weekend plans' : 'Announcements'} /></label>
            <label>Members<textarea name="members" rows={2} autocapitalize="none" spellcheck={false} placeholder="bob, carol" /></label>
            <label class="check"><input type="checkbox" name="announce" /> Only admins post</label>
          </>
        )}
        <p class="problem" role="alert">{problem.value}</p>
        <footer>
          <button type="button" onClick={close}>Cancel</button>
          <button type="submit" class="primary" disabled={busy.value}>{busy.value ? 'Starting…' : 'Start'}</button>
        </footer>
      </form>
    </dialog>
  );
}
