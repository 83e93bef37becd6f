//! WebSocket frames on the wire: our own server side of RFC 6455.
//!
//! The core does no I/O. [`Decoder`] is fed whatever a read returned and hands out [`Event`]s;
//! [`TextFrame`] and the `encode_*` functions make frames that every socket can share, because a
//! server's frames are not masked. Around it lies a thin layer on a stream: [`Transport`] (plain or
//! TLS), [`Socket`] (reads into one buffer per thread) and [`poll_write_queue`] (drains a backlog
//! with vectored writes). [`handshake`] judges the request that asks for the upgrade.
//!
//! An idle socket keeps no buffer and no heap here. Deliberately absent: extensions (so no
//! permessage-deflate), binary messages, and the client's side.

mod close;
mod decoder;
mod error;
mod event;
mod frame;
pub mod handshake;
mod header;
mod mask;
mod pending;
mod read_buffer;
mod socket;
mod transport;
mod write;

#[cfg(test)]
mod tests;

pub use close::CloseCode;
pub use decoder::{Decoder, Limits};
pub use error::DecodeError;
pub use event::Event;
pub use frame::{PING, TextFrame, encode_close, encode_ping, encode_pong, encode_text};
pub use read_buffer::READ_BUFFER_BYTES;
pub use socket::{ReadError, ReadOutcome, Socket};
pub use transport::Transport;
pub use write::{MAX_SLICES, Written, poll_write_queue};

/// What a [`Socket`] needs from a codec: turning the client's bytes into events.
///
/// Encoding is not part of it: a frame to the client is encoded once for all its receivers, so no
/// state of one socket may play a role.
pub trait Codec {
    /// Takes bytes from the front of `input` until one event is complete, and leaves the rest.
    ///
    /// `Ok(None)` means that all of `input` was taken and more is needed. The bytes may be changed
    /// in place, and the event may borrow from them. After an error or a [`Event::Close`] whatever
    /// follows is discarded.
    ///
    /// # Errors
    /// A [`DecodeError`], whose [`close_code`](DecodeError::close_code) the client should be told.
    fn decode<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Event<'a>>, DecodeError>;

    /// Bytes of heap held for a message that is not complete yet; 0 between messages.
    fn buffered(&self) -> usize;
}
