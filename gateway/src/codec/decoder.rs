use std::borrow::Cow;

use super::event::{close, text};
use super::header::{Header, Opcode};
use super::mask::unmask;
use super::pending::{Frame, Pending};
use super::{Codec, DecodeError, Event};

/// The bounds of one message, and so of what a decoder can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of payload in a message, over all its fragments. Judged from the header, before any of
    /// the payload is kept. Default 128 KiB.
    pub message_bytes: u32,
    /// Frames that a message may consist of. Default 64; 0 refuses every message.
    pub fragments: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: 128 * 1024, fragments: 64 }
    }
}

/// Turns a client's bytes into events (RFC 6455 sections 5 to 8), however they are cut.
///
/// It holds no heap between messages: a message that lies whole in the input is unmasked where it
/// lies and handed out borrowed. One that is cut by the end of the input, or fragmented, is
/// collected in a buffer that grows with what arrives up to [`Limits::message_bytes`] and goes out
/// with the event. UTF-8 is judged when the message is whole.
#[derive(Debug)]
pub struct Decoder {
    pending: Option<Box<Pending>>,
    limits: Limits,
    /// After a close frame or an error nothing more is read (sections 1.4 and 7.1.7).
    ended: bool,
}

const _: () = assert!(size_of::<Decoder>() <= 24);

impl Decoder {
    /// A decoder at the start of a connection.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { pending: None, limits, ended: false }
    }

    fn advance<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Event<'a>>, DecodeError> {
        // Every round takes at least a header or returns.
        loop {
            let Some(frame) = self.next_frame(input)? else { return Ok(None) };
            let (taken, payload) = take(input, frame.remaining);
            unmask(payload, frame.mask);
            let rest = frame.after(taken);
            if rest.remaining > 0 {
                let bound = self.limits.message_bytes as usize;
                let pending = self.pending.get_or_insert_default();
                pending.keep(&rest, payload, bound);
                pending.frame = Some(rest);
                return Ok(None);
            }
            if let Some(event) = self.finish(&rest, payload)? {
                return Ok(Some(event));
            }
        }
    }

    /// The frame that was cut, or the next one; `None` when the input ends inside its header.
    fn next_frame(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, DecodeError> {
        if let Some(frame) = self.pending.as_mut().and_then(|pending| pending.frame.take()) {
            return Ok(Some(frame));
        }
        let header = match &mut self.pending {
            Some(pending) if pending.has_head() => pending.complete_head(input)?,
            _ => match Header::parse(input)? {
                Some((header, length)) => {
                    let _header = input.split_off_mut(..length);
                    Some(header)
                }
                None if input.is_empty() => None,
                None => self.pending.get_or_insert_default().complete_head(input)?,
            },
        };
        header.map(|header| self.admit(&header)).transpose()
    }

    /// Judges a header against the message that is open and the bounds.
    fn admit(&self, header: &Header) -> Result<Frame, DecodeError> {
        let (bytes, fragments) =
            self.pending.as_ref().map_or((0, 0), |open| (open.message_len(), open.fragments));
        let mut most = u64::from(self.limits.message_bytes);
        match header.opcode {
            Opcode::Continuation if fragments == 0 => {
                return Err(DecodeError::UnexpectedContinuation);
            }
            Opcode::Text if fragments > 0 => return Err(DecodeError::MessageInterrupted),
            Opcode::Continuation | Opcode::Text => {
                if fragments >= self.limits.fragments {
                    return Err(DecodeError::TooManyFragments { limit: self.limits.fragments });
                }
                most = most.saturating_sub(bytes as u64);
            }
            // A control frame's length was judged with its header.
            Opcode::Close | Opcode::Ping | Opcode::Pong => most = u64::from(u32::MAX),
        }
        let remaining =
            u32::try_from(header.length).ok().filter(|length| u64::from(*length) <= most);
        let too_large = DecodeError::MessageTooLarge { limit: self.limits.message_bytes };
        let remaining = remaining.ok_or(too_large)?;
        Ok(Frame { fin: header.fin, opcode: header.opcode, remaining, mask: header.mask })
    }

    /// Takes the end of a frame's payload: an event, unless the message goes on.
    fn finish<'a>(
        &mut self,
        frame: &Frame,
        last: &'a [u8],
    ) -> Result<Option<Event<'a>>, DecodeError> {
        if !frame.fin {
            let pending = self.pending.get_or_insert_default();
            pending.keep(frame, last, self.limits.message_bytes as usize);
            pending.fragments += 1;
            return Ok(None);
        }
        let payload = match &mut self.pending {
            None => Cow::Borrowed(last),
            Some(pending) if frame.opcode.is_control() => pending.take_control(last),
            Some(pending) => pending.take_message(last),
        };
        self.pending.take_if(|pending| pending.is_empty());
        match frame.opcode {
            Opcode::Text | Opcode::Continuation => text(payload).map(Event::Text),
            Opcode::Ping => Ok(Event::Ping(payload)),
            Opcode::Pong => Ok(Event::Pong),
            Opcode::Close => close(payload),
        }
        .map(Some)
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Codec for Decoder {
    fn decode<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Event<'a>>, DecodeError> {
        let decoded = if self.ended { Ok(None) } else { self.advance(input) };
        self.ended |= matches!(decoded, Err(_) | Ok(Some(Event::Close { .. })));
        if self.ended {
            self.pending = None;
            *input = &mut [];
        }
        decoded
    }

    fn buffered(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| size_of::<Pending>() + pending.capacity())
    }
}

/// Takes up to `most` bytes from the front of `input`.
fn take<'a>(input: &mut &'a mut [u8], most: u32) -> (u32, &'a mut [u8]) {
    let taken = u32::try_from(input.len()).map_or(most, |length| length.min(most));
    (taken, input.split_off_mut(..taken as usize).unwrap_or_default())
}
