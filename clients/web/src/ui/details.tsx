import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Member, Role } from '@verbatim/client';
import { people, presenceText, titleOf, userIdProblem, userIds } from '../format';
import { now } from '../model';
import { closeDetails } from '../route';
import { Avatar } from './avatar';
import { ConfirmButton } from './confirm-button';
import { useModel } from './context';
import { Icon } from './icon';

/** Members whose presence is shown. */
const MAX_WATCHED = 100;

/** The members of a group or a channel, and for admins what changes them. */
export function Details({ id }: { id: string }) {
  const model = useModel();
  void model.copyChanged.value;
  void model.presenceChanged.value;
  const view = model.conversations.value.find((conversation) => conversation.id === id) ?? null;
  const members = [...(model.client.copy(id)?.members?.values() ?? [])].sort((a, b) => (a.role === b.role ? (a.user_id < b.user_id ? -1 : 1) : a.role === 'admin' ? -1 : 1));
  const watched = members.slice(0, MAX_WATCHED).map((member) => member.user_id);
  useEffect(() => model.client.watch(watched), [watched.join(' ')]);
  const problem = useSignal<string | null>(null);
  const busy = useSignal(false);

  const run = async (action: () => Promise<unknown>) => {
    busy.value = true;
    problem.value = null;
    try {
      await action();
    } catch (error) {
      problem.value = (error as Error).message;
    } finally {
      busy.value = false;
    }
  };
  const add = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const users = userIds(String(new FormData(form).get('users') ?? ''));
    const wrong = users.length === 0 ? 'Enter a name.' : users.map(userIdProblem).find(Boolean);
    if (wrong) return void (problem.value = wrong);
    void run(async () => {
      for (const user of users) await model.client.rest.putMember(id, user);
      form.reset();
    });
  };
  const leave = () => run(() => model.leave(id));

  if (!view) return null;
  const admin = view.role === 'admin';
  return (
    <section class="details" aria-label={`Members of ${titleOf(view)}`}>
      <header class="bar">
        <h2 class="bar-title">{people(view.member_count)}</h2>
        <button type="button" class="round" aria-label="Close members" autofocus onClick={() => closeDetails(id)}><Icon name="close" /></button>
      </header>
      <div class="details-body">
        {admin ? (
          <form class="add-member" onSubmit={add}>
            <label>Add members<input name="users" autocapitalize="none" autocomplete="off" spellcheck={false} placeholder="dave, erin" /></label>
            <button type="submit" class="primary" disabled={busy.value}>Add</button>
          </form>
        ) : null}
        <p class="problem" role="alert">{problem.value}</p>
        <ul class="members">
          {members.map((member) => (
            <MemberRow
              key={member.user_id}
              member={member}
              self={member.user_id === model.me}
              admin={admin}
              onRemove={() => run(() => model.client.rest.removeMember(id, member.user_id))}
              onRole={(role) => run(() => model.client.rest.putMember(id, member.user_id, role))}
            />
          ))}
        </ul>
        {view.member_count > members.length && members.length > 0 ? <p class="hint">and {(view.member_count - members.length).toLocaleString()} more</p> : null}
        <p class="hint">{view.history === 'all' ? 'Members see everything that was written.' : 'Members see what is written from the time they join.'}</p>
        <ConfirmButton label={view.kind === 'channel' ? 'Leave channel' : 'Leave group'} confirm="Really leave?" onConfirm={leave} />
      </div>
    </section>
  );
}

function MemberRow({ member, self, admin, onRemove, onRole }: { member: Member; self: boolean; admin: boolean; onRemove(): void; onRole(role: Role): void }) {
  const model = useModel();
  const presence = model.client.presence(member.user_id);
  return (
    <li class="member" data-member={member.user_id}>
      <Avatar name={member.user_id} online={presence?.online ?? false} />
      <span class="member-text">
        <span class="member-name">{member.user_id}{self ? ' (you)' : ''}</span>
        <span class="member-about">{[member.role === 'admin' ? 'admin' : '', presenceText(presence, now.value)].filter(Boolean).join(' · ')}</span>
      </span>
      {admin && !self ? (
        <span class="member-actions">
          <button type="button" class="small" onClick={() => onRole(member.role === 'admin' ? 'member' : 'admin')} aria-label={member.role === 'admin' ? `Make ${member.user_id} a plain member` : `Make ${member.user_id} an admin`}>
            {member.role === 'admin' ? 'Demote' : 'Promote'}
          </button>
          <ConfirmButton small label="Remove" describe={`Remove ${member.user_id}`} confirm="Sure?" onConfirm={onRemove} />
        </span>
      ) : null}
    </li>
  );
}
