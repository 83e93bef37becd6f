//! Frames that take a while: each becomes a future whose answer goes into the backlog.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use verbatim_domain::{Position, access::Action, authorize, partition};
use verbatim_ports::{
    auth::{Actor, AuthError},
    commands::{Command, Outcome, Ruled},
    log::Stream,
};
use verbatim_schemas::{
    Code, CommandId, ConversationId, EventBody, Problem, UserId,
    entry::Message,
    event::MessageSent,
    frames::{Ack, Fetch, Renew, Send, ServerFrame},
};

use super::{
    Session,
    busy::{Done, Then},
    frames::view_ack,
};
use crate::{
    encode,
    hub::{Missing, Viewed},
    presence::Watched,
    shared::Shared,
    telemetry,
};

/// Entries in one answer to `fetch`, beside the bound in bytes.
const FETCH_ENTRIES: u32 = 1_000;

fn answer(frame: Bytes) -> Done {
    Done { frames: vec![frame], limited: false, then: Then::Nothing }
}

fn refusal(reference: Option<String>, problem: Problem) -> Done {
    let limited = problem.code == Code::RateLimited;
    Done { frames: vec![encode::error(reference, problem)], limited, then: Then::Nothing }
}

/// Takes the place in the order at once, and answers when ruled.
pub(super) fn send(shared: &Arc<Shared>, actor: &Actor, frame: Send) -> BoxFuture<'static, Done> {
    let Send { reference, conversation_id: conversation, id, text, metadata, .. } = frame;
    let body = EventBody::MessageSent(MessageSent { text, metadata });
    let command = Command { actor: actor.clone(), id, conversation, body };
    let submitted = shared.deps.commands.submit(command, shared.config.command_wait);
    let (shared, user, began) = (shared.clone(), actor.user.clone(), shared.time.elapsed());
    async move {
        match submitted.await {
            Ok(Outcome::Ruled(ruled)) => {
                telemetry::acknowledged(shared.time.elapsed().saturating_sub(began));
                answer(encode::ack(sent(reference, conversation, id, &ruled)))
            }
            Ok(Outcome::Pending(_)) => refusal(reference, Code::OutcomeUnknown.into()),
            Err(mut problem) => {
                if problem.code == Code::StaleId && problem.message.is_none() {
                    match held_message(&shared, &user, conversation, id).await {
                        Ok(held) => problem.message = Some(held.map(Box::new)),
                        // Not knowing is no answer: with null the sender would send it twice.
                        Err(unknown) => problem = unknown,
                    }
                }
                refusal(reference, problem)
            }
        }
    }
    .boxed()
}

fn sent(
    reference: Option<String>,
    conversation: ConversationId,
    id: CommandId,
    ruled: &Ruled,
) -> Ack {
    Ack {
        reference,
        conversation_id: Some(conversation),
        id: Some(id),
        seq: ruled.seq,
        rev: ruled.rev,
        created_at: Some(ruled.at),
        position: Some(ruled.position.token()),
        duplicate: ruled.duplicate,
        ..Ack::default()
    }
}

/// What history holds for an id that is too old to be remembered, as far as the user may see it, at or
/// after the ruling that said so: that is on the log already.
async fn held_message(
    shared: &Shared,
    user: &UserId,
    conversation: ConversationId,
    id: CommandId,
) -> Result<Option<Message>, Problem> {
    let (history, log) = (&shared.deps.history, &shared.deps.log);
    let layout = log.layout();
    let partition = partition::of(conversation, layout.partitions);
    let end = log.end(Stream::Events, partition).await.map_err(|error| {
        tracing::warn!(%error, "cannot tell what a stale id stands for");
        Problem::new(Code::Unavailable).retry_after_ms(1_000)
    })?;
    if let Some(last) = end.checked_sub(1) {
        let ruled = Position::at(layout.src(partition, last));
        history.reach(&ruled, shared.config.history_wait).await?;
    }
    let at = history.membership(conversation, user).await?;
    match authorize(user, conversation, at.membership.as_ref(), Action::Read) {
        Ok(grant) => Ok(history.sent_message(&grant, id).await?),
        Err(_) => Ok(None),
    }
}

/// Entries from history, as far as it includes what was delivered here.
pub(super) fn fetch(
    shared: Arc<Shared>,
    session: Arc<Session>,
    user: UserId,
    frame: Fetch,
) -> BoxFuture<'static, Done> {
    async move {
        let (reference, conversation) = (frame.reference.clone(), frame.conversation_id);
        let mut done = match entries(&shared, &user, frame).await {
            Ok((frame, position)) => {
                let now = shared.time.elapsed();
                let hub = shared.hub();
                let missing = hub.check(session.slot, conversation) == Err(Missing::NotMember);
                // Whoever left after that was read was told so, and nothing follows that. A membership
                // so young that its ruling has not come here is no such case.
                if missing && hub.position().covers(&position) {
                    refusal(reference, Code::ConversationNotFound.into())
                } else {
                    // Here, under the lock, so that `left` comes after it.
                    session.push(frame, super::Class::Lasting, now);
                    Done { frames: Vec::new(), limited: false, then: Then::Nothing }
                }
            }
            Err(problem) => refusal(reference, problem),
        };
        done.then = Then::Fetched;
        done
    }
    .boxed()
}

/// The answer, and the position at which the membership was read.
async fn entries(
    shared: &Shared,
    user: &UserId,
    frame: Fetch,
) -> Result<(Bytes, Position), Problem> {
    let (history, conversation_id) = (&shared.deps.history, frame.conversation_id);
    let target = {
        let hub = shared.hub();
        hub.position().only(hub.partition_of(conversation_id))
    };
    history.reach(&target, shared.config.history_wait).await?;
    let at = history.membership(conversation_id, user).await?;
    let grant = authorize(user, conversation_id, at.membership.as_ref(), Action::Read)?;
    let most = shared.config.fetch_bytes;
    let items = history.entries(&grant, frame.after, FETCH_ENTRIES, most).await?;
    let last = items.last().map(|entry| entry.rev);
    let next = last.filter(|last| *last < grant.head_rev());
    let reference = frame.reference;
    let head_rev = grant.head_rev();
    let answer = ServerFrame::Entries { reference, conversation_id, items, next, head_rev };
    Ok((encode::encode(&answer), at.position))
}

/// A `view` of a conversation that the socket is not subscribed to: the membership may be so young
/// that its ruling has not come here.
pub(super) fn view_later(
    shared: Arc<Shared>,
    session: Arc<Session>,
    user: UserId,
    reference: Option<String>,
    conversation: ConversationId,
) -> BoxFuture<'static, Done> {
    async move {
        let within = shared.config.history_wait;
        let refused = |code: Code| refusal(reference.clone(), code.into());
        match shared.deps.history.membership(conversation, &user).await {
            Ok(at) if at.membership.as_ref().is_some_and(|known| known.role.is_some()) => {
                shared.wait_for(&at.position, within).await;
            }
            Ok(_) => return refused(Code::ConversationNotFound),
            Err(error) => return refusal(reference, error.into()),
        }
        let now = shared.time.elapsed();
        let mut hub = shared.hub();
        match hub.view(session.slot, conversation) {
            Viewed::From(head_rev, head_seq) => {
                // Here, under the lock, and not with the answer: no entry comes before it.
                let ack = view_ack(reference.clone(), conversation, head_rev, head_seq);
                session.push(ack, super::Class::Lasting, now);
                Done { frames: Vec::new(), limited: false, then: Then::Nothing }
            }
            Viewed::TooMany | Viewed::Missing(_) => refused(Code::ConversationNotFound),
        }
    }
    .boxed()
}

/// The presence of users that are watched from now on, then the ack.
pub(super) fn watch(
    shared: Arc<Shared>,
    reference: Option<String>,
    watched: Watched,
) -> BoxFuture<'static, Done> {
    async move {
        shared.presence.first_answers(&shared, watched).await;
        answer(encode::bare_ack(reference))
    }
    .boxed()
}

/// Another token of the same user and device.
pub(super) fn renew(shared: Arc<Shared>, actor: Actor, frame: Renew) -> BoxFuture<'static, Done> {
    async move {
        match shared.deps.auth.authenticate(&frame.token).await {
            Ok(new) if new.user == actor.user && new.device == actor.device => Done {
                frames: vec![encode::bare_ack(frame.reference)],
                limited: false,
                then: Then::Renewed(new.expires_at),
            },
            Ok(_) => {
                let detail = "send a token of the same user and device";
                refusal(frame.reference, Problem::new(Code::Forbidden).detail(detail))
            }
            Err(AuthError::Refused(_)) => {
                let problem = Problem::new(Code::Unauthenticated).detail("send a valid token");
                refusal(frame.reference, problem)
            }
            Err(AuthError::Unavailable(_)) => {
                let problem = Problem::new(Code::Unavailable).retry_after_ms(1_000);
                refusal(frame.reference, problem)
            }
        }
    }
    .boxed()
}
