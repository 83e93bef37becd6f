use std::borrow::Cow;

use super::DecodeError;
use super::header::{Header, MAX_HEADER, Opcode};

/// A frame whose payload has not all arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub fin: bool,
    pub opcode: Opcode,
    /// Payload bytes that are still to come; within the message's bound.
    pub remaining: u32,
    /// The mask, turned so that its first byte is for the next byte of payload.
    pub mask: [u8; 4],
}

impl Frame {
    /// What is left of the frame after `taken` bytes of its payload.
    pub(super) fn after(mut self, taken: u32) -> Self {
        self.remaining -= taken;
        // Below 4, so that it fits.
        self.mask.rotate_left((taken % 4) as usize);
        self
    }
}

/// What a decoder keeps while a header, a frame or a message is cut by the end of a read.
///
/// It exists only for that time, so that an idle decoder is a null pointer.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The beginning of a header.
    head: [u8; MAX_HEADER],
    head_len: usize,
    /// The frame that is being received.
    pub frame: Option<Frame>,
    /// That frame's payload so far, if it is a control frame: at most 125 bytes.
    control: Vec<u8>,
    /// The message's payload so far.
    message: Vec<u8>,
    /// Whole frames of the message so far; 0 when no message is open.
    pub fragments: u16,
}

impl Pending {
    pub(super) fn message_len(&self) -> usize {
        self.message.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.message.capacity() + self.control.capacity()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.fragments == 0
    }

    pub(super) fn has_head(&self) -> bool {
        self.head_len > 0
    }

    /// Adds what `input` has to the header that was cut.
    pub(super) fn complete_head(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<Header>, DecodeError> {
        let had = self.head_len;
        let added = input.len().min(MAX_HEADER - had);
        self.head[had..had + added].copy_from_slice(&input[..added]);
        let parsed = Header::parse(&self.head[..had + added])?;
        // A header that was incomplete before ends behind what was there before.
        let taken = parsed.map_or(added, |(_, length)| length.saturating_sub(had));
        let _header = input.split_off_mut(..taken);
        self.head_len = if parsed.is_some() { 0 } else { had + added };
        Ok(parsed.map(|(header, _)| header))
    }

    /// Keeps plain payload of `frame`, of which `frame.remaining` bytes are still to come.
    pub(super) fn keep(&mut self, frame: &Frame, payload: &[u8], bound: usize) {
        if frame.opcode.is_control() {
            self.control.extend_from_slice(payload);
            return;
        }
        let needed = self.message.len() + payload.len();
        if needed > self.message.capacity() {
            // Memory follows what has arrived, not what a header claims, and stays in the bound.
            let most = if frame.fin { needed + frame.remaining as usize } else { bound };
            let target = most.min(needed.max(2 * self.message.capacity()));
            self.message.reserve_exact(target - self.message.len());
        }
        self.message.extend_from_slice(payload);
    }

    /// The whole payload of a control frame that ends with `last`.
    pub(super) fn take_control<'a>(&mut self, last: &'a [u8]) -> Cow<'a, [u8]> {
        join(std::mem::take(&mut self.control), last)
    }

    /// The whole message that ends with `last`; no message is open afterwards.
    pub(super) fn take_message<'a>(&mut self, last: &'a [u8]) -> Cow<'a, [u8]> {
        self.fragments = 0;
        join(std::mem::take(&mut self.message), last)
    }
}

fn join(mut first: Vec<u8>, last: &[u8]) -> Cow<'_, [u8]> {
    if first.is_empty() {
        return Cow::Borrowed(last);
    }
    if last.len() > first.capacity() - first.len() {
        first.reserve_exact(last.len());
    }
    first.extend_from_slice(last);
    Cow::Owned(first)
}
