use std::{
    future::Future,
    io::IoSlice,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;
use verbatim_ports::auth::Actor;

use super::{
    Goodbye, Session,
    busy::Busy,
    frames,
    hello::{self, Connecting},
};
use crate::{
    codec::{
        Decoder, Event, Limits, ReadError, ReadOutcome, Socket, Transport, encode_close,
        encode_pong,
    },
    handshake::Admission,
    shared::Shared,
    telemetry,
};

/// How often a poll goes around before other tasks get a turn.
const ROUNDS: usize = 16;

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

/// The task that serves one socket, as one small future: it reads, writes, and waits for answers.
pub(crate) struct Connection {
    socket: Socket,
    core: Core,
    /// Whether all was written when we looked last.
    drained: bool,
    /// Whether our side of the stream was ended.
    shut: bool,
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

impl Connection {
    /// Serves a socket in a task of its own.
    pub(crate) fn spawn(
        shared: &Arc<Shared>,
        admission: Admission,
        actor: Option<Actor>,
        transport: Transport,
        leftover: &[u8],
    ) {
        let config = &shared.config;
        let limits = Limits { message_bytes: config.message_bytes, fragments: config.fragments };
        let socket = Socket::new(transport, Decoder::new(limits), leftover);
        // Frames are small and already coalesced; waiting for more would only delay them.
        let _set = socket.stream().tcp().set_nodelay(true);
        let session = shared.hub().open();
        let now = shared.time.elapsed();
        let mut core = Core {
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
        };
        core.schedule(now);
        if shared.is_draining() {
            core.session.close(&shared.restart(), now);
        }
        tokio::spawn(Connection { socket, core, drained: false, shut: false });
    }

    /// One poll; ready when the connection is over.
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.core.session.begin(cx.waker());
        let now = self.core.shared.time.elapsed();
        if timer && self.core.timers(now).is_break() {
            return Poll::Ready(());
        }
        for _ in 0..ROUNDS {
            if !matches!(self.core.phase, Phase::Closing) && self.core.session.is_closing() {
                self.core.begin_closing(now);
            }
            let mut progress = self.core.poll_connecting(cx);
            progress |= self.core.poll_busy(cx, now);
            match self.read(cx, now) {
                Poll::Pending => {}
                Poll::Ready(ControlFlow::Continue(())) => progress = true,
                Poll::Ready(ControlFlow::Break(())) => return Poll::Ready(()),
            }
            if self.write(cx, now).is_break() {
                return Poll::Ready(());
            }
            if !progress {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn read(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<ControlFlow<()>> {
        let core = &mut self.core;
        if !core.may_read() {
            return Poll::Pending;
        }
        let read = self.socket.poll_events(cx, |event| core.receive(event, now));
        Poll::Ready(match read {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(ReadOutcome::More | ReadOutcome::Stopped)) => {
                core.heard = now;
                ControlFlow::Continue(())
            }
            Poll::Ready(Ok(ReadOutcome::Eof)) => ControlFlow::Break(()),
            Poll::Ready(Err(ReadError::Io(_))) => ControlFlow::Break(()),
            Poll::Ready(Err(ReadError::Decode(error))) => {
                core.session.close(&Goodbye::decode(error), now);
                ControlFlow::Continue(())
            }
        })
    }

    fn write(&mut self, cx: &mut Context<'_>, now: u64) -> ControlFlow<()> {
        let stream = self.socket.stream_mut();
        let written = self.core.session.poll_write(cx, |cx, slices: &[IoSlice<'_>]| {
            Pin::new(&mut *stream).poll_write_vectored(cx, slices)
        });
        let Ok(written) = written else { return ControlFlow::Break(()) };
        telemetry::written(written.bytes, written.frames);
        let empty = written.left == 0;
        if written.bytes > 0 || !self.drained {
            self.drained = match Pin::new(&mut *stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => empty,
                Poll::Ready(Err(_)) => return ControlFlow::Break(()),
                Poll::Pending => false,
            };
        }
        if !empty {
            self.drained = false;
            telemetry::backlog(written.left);
            self.core.watch_backlog(now);
        }
        if self.drained && !self.shut && matches!(self.core.phase, Phase::Closing) {
            // Then the client's end is awaited, so that a reset does not overtake the close frame.
            match Pin::new(stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.shut = true,
                Poll::Ready(Err(_)) => return ControlFlow::Break(()),
                Poll::Pending => {}
            }
        }
        ControlFlow::Continue(())
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.run(cx)
    }
}

impl Core {
    /// Whether more frames can be taken on. Otherwise the client's sends back up in TCP.
    fn may_read(&self) -> bool {
        match self.phase {
            Phase::Connecting(_) => false,
            Phase::Waiting | Phase::Closing => true,
            Phase::Live => {
                self.busy.as_ref().is_none_or(|busy| busy.has_room(self.shared.config.in_flight))
            }
        }
    }

    fn receive(&mut self, event: Event<'_>, now: u64) -> ControlFlow<()> {
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

    fn poll_connecting(&mut self, cx: &mut Context<'_>) -> bool {
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
