//! A connection's stream that can still be answered on after the HTTP server gave it up.
//!
//! hyper ends a connection whose request's head does not come in time, and drops its stream without
//! an answer. What accepts connections keeps a [`Holder`], with which it says why.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream, as the HTTP server has it.
#[derive(Debug)]
pub struct Held<S>(Arc<Mutex<Inner<S>>>);

/// Takes the stream over from a server that ended.
#[derive(Debug)]
pub struct Holder<S>(Weak<Mutex<Inner<S>>>);

#[derive(Debug)]
struct Inner<S> {
    stream: S,
    /// Something was read since the last write.
    asked: bool,
}

impl<S> Held<S> {
    /// Holds a stream.
    pub fn new(stream: S) -> (Self, Holder<S>) {
        let held = Self(Arc::new(Mutex::new(Inner { stream, asked: false })));
        let holder = Holder(Arc::downgrade(&held.0));
        (held, holder)
    }

    /// The stream itself; none while a [`Holder`] answers on it.
    pub fn into_inner(self) -> Option<S> {
        let inner = Arc::into_inner(self.0)?;
        Some(inner.into_inner().unwrap_or_else(PoisonError::into_inner).stream)
    }

    // Nobody else locks it while this exists, save a holder that ends the connection.
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Holder<S> {
    /// The stream, where the client began to ask and got no answer. Called while the server still
    /// has it.
    pub fn unanswered(&self) -> Option<Held<S>> {
        let held = Held(self.0.upgrade()?);
        let asked = held.lock().asked;
        asked.then_some(held)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        let before = buf.filled().len();
        let polled = Pin::new(&mut inner.stream).poll_read(cx, buf);
        inner.asked |= buf.filled().len() > before;
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        inner.asked = false;
        Pin::new(&mut inner.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        inner.asked = false;
        Pin::new(&mut inner.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().stream.is_write_vectored()
    }
}
