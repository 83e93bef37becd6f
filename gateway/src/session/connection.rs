//! A socket's task: reading, writing, and waiting for neither.

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
    Goodbye,
    core::{Core, Phase},
};
use crate::{
    codec::{Decoder, Limits, ReadError, ReadOutcome, Socket, Transport},
    handshake::Admission,
    shared::Shared,
    telemetry,
};

/// How often a poll goes around before other tasks get a turn.
const ROUNDS: usize = 16;

/// The task that serves one socket, as one small future: it reads, writes, and waits for answers.
pub(crate) struct Connection {
    socket: Socket,
    core: Core,
    /// Whether all was written when we looked last.
    drained: bool,
    /// Whether our side of the stream was ended.
    shut: bool,
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
        let mut core = Core::new(shared, session, admission, actor, now);
        core.schedule(now);
        if shared.is_draining() {
            core.session.close(&shared.restart(), now);
        }
        tokio::spawn(Connection { socket, core, drained: false, shut: false });
    }

    /// One poll; ready when the connection is over.
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.core.session.begin(cx.waker());
        if self.core.shared.is_cut() {
            return Poll::Ready(());
        }
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
