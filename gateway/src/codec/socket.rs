use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::read_buffer::with_read_buffer;
use super::{Codec, DecodeError, Decoder, Event, Transport, Written, poll_write_queue};

/// A stream after the upgrade, and the codec that reads it.
///
/// All operations are in poll form, for one task to poll reading, writing and whatever wakes it in
/// one future. Reading waits for readiness without a buffer; the bytes go into one buffer per
/// thread.
#[derive(Debug)]
pub struct Socket<S = Transport, C = Decoder> {
    stream: S,
    codec: C,
    /// What the upgrade had read already; empty (and then without heap) after the first read.
    leftover: Box<[u8]>,
}

/// What one [`Socket::poll_events`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// All that was read has been handed out; poll again.
    More,
    /// The client ended the stream, with or without a close frame before.
    Eof,
    /// The receiver of the events broke off; the rest of what was read is lost.
    Stopped,
}

/// Why reading cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection is lost.
    #[error("socket failed")]
    Io(#[from] io::Error),
    /// The client broke the protocol: close with the error's code.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl<S, C: Codec> Socket<S, C> {
    /// A socket whose handshake is over. `leftover` is what was read behind the request, to be
    /// decoded first; hyper hands it out as `read_buf`. It is copied, because what hyper hands out
    /// keeps the whole buffer of the handshake alive, even when it is empty.
    pub fn new(stream: S, codec: C, leftover: impl AsRef<[u8]>) -> Self {
        Self { stream, codec, leftover: leftover.as_ref().into() }
    }

    /// The stream underneath.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream underneath, for a writer that keeps its backlog elsewhere.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Bytes of heap held for a message that is not complete; 0 when idle.
    pub fn buffered(&self) -> usize {
        self.codec.buffered() + self.leftover.len()
    }
}

impl<S: AsyncRead + Unpin, C: Codec> Socket<S, C> {
    /// Reads once, up to [`READ_BUFFER_BYTES`](super::READ_BUFFER_BYTES), and calls `receive` with
    /// each event, until it breaks.
    ///
    /// `Pending` only when nothing could be read, and then the task is woken; so call in a loop
    /// until `Pending`, or yield in between. `receive` must not block: the thread's buffer is lent
    /// to it.
    ///
    /// # Errors
    /// [`ReadError::Io`] when the connection is lost, [`ReadError::Decode`] when the client's
    /// frames are not valid; events before the fault have been handed out.
    pub fn poll_events(
        &mut self,
        cx: &mut Context<'_>,
        receive: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Poll<Result<ReadOutcome, ReadError>> {
        if !self.leftover.is_empty() {
            let mut leftover = std::mem::take(&mut self.leftover);
            return Poll::Ready(Ok(hand_out(&mut self.codec, &mut leftover, receive)?));
        }
        with_read_buffer(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => Poll::Ready(Ok(ReadOutcome::Eof)),
                Ok(()) => Poll::Ready(Ok(hand_out(&mut self.codec, buffer.filled_mut(), receive)?)),
                // TLS that ends without its close_notify is common and no more than an end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(ReadOutcome::Eof))
                }
                Err(error) => Poll::Ready(Err(error.into())),
            }
        })
    }
}

impl<S: AsyncWrite + Unpin, C> Socket<S, C> {
    /// Writes a backlog; see [`poll_write_queue`].
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn poll_write_queue<F: AsRef<[u8]>>(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut VecDeque<F>,
        offset: &mut usize,
    ) -> io::Result<Written> {
        poll_write_queue(cx, &mut self.stream, queue, offset)
    }

    /// Ends our side of the stream, after the close frame has been written.
    ///
    /// RFC 6455 section 7.1.1: the server closes first. Reading on until the client's end keeps a
    /// reset from overtaking the close frame.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn hand_out<C: Codec>(
    codec: &mut C,
    mut input: &mut [u8],
    mut receive: impl FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<ReadOutcome, DecodeError> {
    while let Some(event) = codec.decode(&mut input)? {
        if receive(event).is_break() {
            return Ok(ReadOutcome::Stopped);
        }
    }
    Ok(ReadOutcome::More)
}
