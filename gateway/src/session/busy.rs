use std::{
    collections::{HashMap, VecDeque},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use verbatim_ports::commands::Outcome;
use verbatim_schemas::{ConversationId, Problem, Timestamp, frames::ClientFrame};

use super::{
    core::{Core, Phase},
    frames,
    receipts::Receipts,
};

/// What a socket needs while it is not idle: frames that are worked on, wait for their turn, or were
/// seen a moment ago.
#[derive(Default)]
pub(super) struct Busy {
    ops: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Frames of the last read for which there was no room.
    pub(super) parked: VecDeque<ClientFrame>,
    pub(super) fetching: bool,
    pub(super) receipts: Receipts,
    /// When the user last said to be typing, by conversation.
    pub(super) typing: HashMap<ConversationId, u64>,
}

/// A frame that was worked on.
pub(super) struct Done {
    /// The answer.
    pub(super) frames: Vec<Bytes>,
    /// Whether it is a `rate_limited` error.
    pub(super) limited: bool,
    pub(super) then: Then,
}

/// What follows from an answer.
pub(super) enum Then {
    Nothing,
    /// A `fetch` is over; the next may come.
    Fetched,
    /// Receipts of a conversation are written.
    Receipt(ConversationId, Box<Result<Outcome, Problem>>),
    /// The token is another one.
    Renewed(Timestamp),
}

impl Busy {
    pub(super) fn has_room(&self, most: usize) -> bool {
        self.parked.is_empty() && self.ops.len() < most
    }

    pub(super) fn add(&self, op: BoxFuture<'static, Done>) {
        self.ops.push(op);
    }

    fn is_idle(&self) -> bool {
        self.ops.is_empty()
            && self.parked.is_empty()
            && self.receipts.is_empty()
            && self.typing.is_empty()
    }
}

impl Core {
    pub(super) fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    /// Takes answers that are there, then frames that waited for their turn.
    pub(super) fn poll_busy(&mut self, cx: &mut Context<'_>, now: u64) -> bool {
        let mut progress = false;
        while let Some(busy) = &mut self.busy
            && let Poll::Ready(Some(done)) = busy.ops.poll_next_unpin(cx)
        {
            progress = true;
            self.done(done, now);
        }
        if !matches!(self.phase, Phase::Live | Phase::Waiting) {
            return progress;
        }
        let most = self.shared.config.in_flight;
        while let Some(busy) = &mut self.busy
            && busy.ops.len() < most
            && let Some(frame) = busy.parked.pop_front()
        {
            progress = true;
            match self.phase {
                Phase::Live => frames::live(self, frame, now),
                _ => frames::handle(self, frame, now),
            }
        }
        self.busy.take_if(|busy| busy.is_idle());
        progress
    }

    fn done(&mut self, done: Done, now: u64) {
        for frame in done.frames {
            self.push(frame, now);
        }
        match done.then {
            Then::Nothing => {}
            Then::Fetched => self.busy().fetching = false,
            Then::Renewed(expires_at) => {
                if let Some(actor) = &mut self.actor {
                    actor.expires_at = expires_at;
                }
                self.schedule(now);
            }
            Then::Receipt(conversation, outcome) => {
                let limited = super::receipts::answered(self, conversation, *outcome, now);
                return self.answered(limited, now);
            }
        }
        self.answered(done.limited, now);
    }
}
