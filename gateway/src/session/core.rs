//! A connection without its stream: what a frame, an answer or a bound means for it.

use std::{
    ops::ControlFlow,
    sync::Arc,
    task::{Context, Poll},
};

use verbatim_ports::auth::Actor;

use super::{
    Goodbye, Session,
    busy::Busy,
    frames,
    hello::{self, Connecting},
};
use crate::{
    codec::{Event, encode_close, encode_pong},
    handshake::Admission,
    shared::Shared,
    telemetry,
};

/// How far a connection is.
pub(super) enum Phase {
    /// `hello` is awaited.
    Waiting,
    /// The heads are loaded; nothing is read meanwhile.
    Connecting(Connecting),
    /// Signed in.
    Live,
    /// The last frames are written; what the client sends is not listened to.
    Closing,
}

/// A connection without its stream.
pub(super) struct Core {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Arc<Session>,
    pub(super) phase: Phase,
    /// Who is signed in, by the handshake or by the ticket.
    pub(super) actor: Option<Box<Actor>>,
    /// Counted among this gateway's, and among its address's sockets.
    pub(super) admission: Admission,
    /// What is being worked on; none while idle.
    pub(super) busy: Option<Box<Busy>>,
    /// Milliseconds of the gateway's life: when the socket was opened, or began to close.
    pub(super) since: u64,
    /// When the client was last heard of.
    pub(super) heard: u64,
    /// When it was last pinged.
    pub(super) pinged: u64,
    /// When the timers are looked at next.
    pub(super) scheduled: u64,
    /// The second that pings are counted in, and how many came.
    pings: (u64, u32),
    /// Wrong frames in a row.
    pub(super) wrong: u32,
    /// `rate_limited` errors in a row.
    limited: u32,
}

impl Core {
    /// A socket that was just opened.
    pub(super) fn new(
        shared: &Arc<Shared>,
        session: Arc<Session>,
        admission: Admission,
        actor: Option<Actor>,
        now: u64,
    ) -> Self {
        Self {
            shared: shared.clone(),
            session,
            phase: Phase::Waiting,
            actor: actor.map(Box::new),
            admission,
            busy: None,
            since: now,
            heard: now,
            pinged: now,
            scheduled: u64::MAX,
            pings: (0, 0),
            wrong: 0,
            limited: 0,
        }
    }

    /// Whether more frames can be taken on. Otherwise the client's sends back up in TCP.
    pub(super) fn may_read(&self) -> bool {
        match self.phase {
            Phase::Connecting(_) => false,
            Phase::Waiting | Phase::Closing => true,
            Phase::Live => {
                self.busy.as_ref().is_none_or(|busy| busy.has_room(self.shared.config.in_flight))
            }
        }
    }

    pub(super) fn receive(&mut self, event: Event<'_>, now: u64) -> ControlFlow<()> {
        if matches!(self.phase, Phase::Closing) {
            return ControlFlow::Continue(());
        }
        match event {
            Event::Text(text) => {
                telemetry::frame_in(text.len());
                frames::receive(self, &text, now);
            }
            Event::Ping(payload) => self.pinged_by_client(&payload, now),
            Event::Pong => {}
            Event::Close { code, .. } => {
                self.session.finish(encode_close(code, ""), now);
            }
        }
        if self.session.is_closing() {
            self.begin_closing(now);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn pinged_by_client(&mut self, payload: &[u8], now: u64) {
        let second = now / 1_000;
        if self.pings.0 != second {
            self.pings = (second, 0);
        }
        self.pings.1 += 1;
        if self.pings.1 > self.shared.config.pings_per_second {
            self.session.close(&Goodbye::too_fast("send fewer pings"), now);
        } else {
            self.push(encode_pong(payload), now);
        }
    }

    /// Takes the connection out of the hub at once: nothing more is for it.
    pub(super) fn begin_closing(&mut self, now: u64) {
        if matches!(self.phase, Phase::Closing) {
            return;
        }
        self.phase = Phase::Closing;
        self.since = now;
        self.leave();
        self.schedule(now);
    }

    /// Puts a frame into the backlog; it is written at the end of this poll.
    pub(super) fn push(&self, frame: bytes::Bytes, now: u64) {
        self.session.push(frame, super::Class::Lasting, now);
    }

    /// A frame was wrong in itself; ten in a row end the connection.
    pub(super) fn wrong(&mut self, now: u64) {
        self.wrong += 1;
        if self.wrong >= self.shared.config.wrong_in_a_row {
            self.session.close(&Goodbye::wrong(), now);
        }
    }

    /// An answer was given; a hundred `rate_limited` in a row end the connection.
    pub(super) fn answered(&mut self, limited: bool, now: u64) {
        self.limited = if limited { self.limited + 1 } else { 0 };
        if self.limited >= self.shared.config.limited_in_a_row {
            self.session.close(&Goodbye::too_fast("send less, and wait as the errors say"), now);
        }
    }

    pub(super) fn poll_connecting(&mut self, cx: &mut Context<'_>) -> bool {
        let Phase::Connecting(connecting) = &mut self.phase else { return false };
        let Poll::Ready(connected) = connecting.as_mut().poll(cx) else { return false };
        self.phase = Phase::Waiting;
        hello::connected(self, connected);
        true
    }

    /// Ends what the gateway knows of this socket. Safe to call twice.
    fn leave(&mut self) {
        if let Some(busy) = self.busy.take()
            && let Some(actor) = &self.actor
        {
            busy.receipts.flush(&self.shared, actor);
        }
        self.shared.forget(&self.session);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.leave();
    }
}
