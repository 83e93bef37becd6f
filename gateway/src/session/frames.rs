//! What a client sends, frame by frame.

use std::sync::Arc;

use verbatim_schemas::{
    Code, ConversationId, Problem,
    frames::{Ack, ClientFrame},
    strict,
};

use super::{
    Goodbye,
    core::{Core, Phase},
    hello, ops, receipts,
};
use crate::{
    config::millis,
    encode,
    hub::{Missing, Viewed},
};

/// Conversations whose `typing` is remembered at once; more in one interval is dropped.
const TYPING_AT_ONCE: usize = 64;

/// A text frame.
pub(super) fn receive(core: &mut Core, text: &str, now: u64) {
    match ClientFrame::parse(text) {
        Ok(frame) => handle(core, frame, now),
        Err(bad) => {
            // Repeated keys and deep nesting are wrong content; what is no JSON at all ends it.
            if bad.problem.code == Code::Malformed && !strict::is_json(text) {
                return core.session.close(&Goodbye::not_json(), now);
            }
            core.push(encode::error(bad.reference, bad.problem), now);
            core.wrong(now);
        }
    }
}

/// A frame of the right shape; parks it while there is no room for more work.
pub(super) fn handle(core: &mut Core, frame: ClientFrame, now: u64) {
    match (&core.phase, frame) {
        (Phase::Closing, _) => {}
        (Phase::Waiting, ClientFrame::Hello(frame)) => hello::begin(core, frame, now),
        (Phase::Waiting, frame) => {
            let problem = Problem::new(Code::Unauthenticated).detail("send `hello` first");
            refuse(core, frame.reference(), problem, now);
        }
        (Phase::Connecting(_), frame) => core.busy().parked.push_back(frame),
        (Phase::Live, frame) => {
            let most = core.shared.config.in_flight;
            if core.busy.as_ref().is_some_and(|busy| !busy.has_room(most)) {
                core.busy().parked.push_back(frame);
            } else {
                live(core, frame, now);
            }
        }
    }
}

/// A frame of a socket that is signed in.
pub(super) fn live(core: &mut Core, frame: ClientFrame, now: u64) {
    let wrong_before = core.wrong;
    dispatch(core, frame, now);
    if core.wrong == wrong_before {
        core.wrong = 0;
    }
}

fn dispatch(core: &mut Core, frame: ClientFrame, now: u64) {
    let Some(actor) = core.actor.as_deref() else { return };
    match frame {
        ClientFrame::Hello(frame) => {
            let problem = Problem::invalid("type", "send `hello` once");
            refuse(core, frame.reference.as_deref(), problem, now);
        }
        ClientFrame::Send(frame) => {
            let op = ops::send(&core.shared, actor, frame);
            core.busy().add(op);
        }
        ClientFrame::Fetch(frame) => {
            if core.busy().fetching {
                // One at a time: the answers would only wait for each other.
                let problem = Problem::new(Code::RateLimited)
                    .detail("fetch once the last one was answered")
                    .retry_after_ms(100);
                core.push(encode::error(frame.reference, problem), now);
                return core.answered(true, now);
            }
            let user = core.actor.as_ref().map(|actor| actor.user.clone());
            let Some(user) = user else { return };
            let op = ops::fetch(core.shared.clone(), core.session.clone(), user, frame);
            let busy = core.busy();
            busy.fetching = true;
            busy.add(op);
        }
        ClientFrame::ReceiptUpdate(frame) => receipts::receive(core, frame, now),
        ClientFrame::Typing(frame) => {
            typing(core, frame.reference.as_deref(), frame.conversation_id, now);
        }
        ClientFrame::Watch(frame) => {
            match core.shared.presence.watch(&core.session, &actor.user, frame.users) {
                Ok(watched) => {
                    let op = ops::watch(core.shared.clone(), frame.reference, watched);
                    core.busy().add(op);
                }
                Err(problem) => refuse(core, frame.reference.as_deref(), problem, now),
            }
        }
        ClientFrame::Unwatch(frame) => {
            core.shared.presence.unwatch(core.session.number, &frame.users);
            core.push(encode::bare_ack(frame.reference), now);
        }
        ClientFrame::View(frame) => view(core, frame.reference, frame.conversation_id, now),
        ClientFrame::Unview(frame) => {
            core.shared.hub().unview(core.session.slot, frame.conversation_id);
            core.push(encode::bare_ack(frame.reference), now);
        }
        ClientFrame::Renew(frame) => {
            let op = ops::renew(core.shared.clone(), actor.clone(), frame);
            core.busy().add(op);
        }
    }
}

fn refuse(core: &mut Core, reference: Option<&str>, problem: Problem, now: u64) {
    core.push(encode::error(reference.map(str::to_owned), problem), now);
    core.wrong(now);
}

fn typing(core: &mut Core, reference: Option<&str>, conversation: ConversationId, now: u64) {
    let interval = millis(core.shared.config.typing_interval);
    let slot = core.session.slot;
    let busy = core.busy();
    let seen = busy.typing.get(&conversation).is_some_and(|at| now < at + interval);
    if seen || busy.typing.len() >= TYPING_AT_ONCE {
        return;
    }
    let Some(user) = core.actor.as_ref().map(|actor| actor.user.clone()) else { return };
    let mut hub = core.shared.hub();
    match hub.check(slot, conversation) {
        Ok(()) => {
            hub.typing(slot, conversation, &user, now);
            drop(hub);
            core.busy().typing.insert(conversation, now);
            core.schedule(now);
        }
        Err(Missing::Behind) => {}
        Err(Missing::NotMember) => {
            drop(hub);
            let reference = reference.map(str::to_owned);
            core.push(encode::error(reference, Code::ConversationNotFound.into()), now);
            core.answered(false, now);
        }
    }
}

fn view(core: &mut Core, reference: Option<String>, conversation: ConversationId, now: u64) {
    // The ack is put into the backlog under the hub's lock, so that no entry comes before it.
    let mut hub = core.shared.hub();
    match hub.view(core.session.slot, conversation) {
        Viewed::From(head_rev, head_seq) => {
            core.push(view_ack(reference, conversation, head_rev, head_seq), now);
            drop(hub);
            core.answered(false, now);
        }
        Viewed::TooMany => {
            drop(hub);
            let most = core.shared.config.view_channels;
            let detail = format!("view at most {most} channels, and `unview` others");
            let problem = Problem::invalid("conversation_id", detail);
            refuse(core, reference.as_deref(), problem, now);
        }
        Viewed::Missing(Missing::Behind) => {
            drop(hub);
            let problem = Problem::new(Code::Behind).retry_after_ms(1_000);
            core.push(encode::error(reference, problem), now);
        }
        Viewed::Missing(Missing::NotMember) => {
            drop(hub);
            let Some(user) = core.actor.as_ref().map(|actor| actor.user.clone()) else { return };
            let (shared, session) = (core.shared.clone(), Arc::clone(&core.session));
            let op = ops::view_later(shared, session, user, reference, conversation);
            core.busy().add(op);
        }
    }
}

pub(super) fn view_ack(
    reference: Option<String>,
    conversation: ConversationId,
    head_rev: verbatim_schemas::Rev,
    head_seq: verbatim_schemas::Seq,
) -> bytes::Bytes {
    encode::ack(Ack {
        reference,
        conversation_id: Some(conversation),
        head_rev: Some(head_rev),
        head_seq: Some(head_seq),
        ..Ack::default()
    })
}
