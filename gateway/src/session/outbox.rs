use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::{Context, Poll},
};

use bytes::Bytes;

use super::goodbye::Goodbye;

/// Most frames that go out in one vectored write.
const MAX_SLICES: usize = 64;

/// Whether a frame may be left out when a socket is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Left out only with the whole socket.
    Lasting,
    /// Typing and presence: dropped first.
    Ephemeral,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits to be written.
    Queued,
    /// It was ephemeral and there was no room, or the socket is closing.
    Dropped,
    /// There was no room: the socket has to be closed.
    Overflow,
}

#[derive(Debug)]
struct Queued {
    bytes: Bytes,
    /// When it was pushed, in milliseconds of the gateway's life.
    at: u64,
    class: Class,
}

/// How far one write came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Written {
    /// Bytes that the stream took.
    pub(crate) bytes: usize,
    /// Frames that were finished by it.
    pub(crate) frames: usize,
    /// Bytes of the frames that are left.
    pub(crate) left: usize,
}

/// What waits for one socket. The first frame has its place here; more of them take heap, which is
/// given back when all is written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    first: Option<Queued>,
    rest: VecDeque<Queued>,
    /// Bytes of the first frame that are written already.
    offset: usize,
    bytes: usize,
    closing: bool,
}

impl Outbox {
    /// Adds a frame, within `limit` bytes in all.
    pub(crate) fn push(&mut self, bytes: Bytes, class: Class, at: u64, limit: usize) -> Pushed {
        if self.closing {
            return Pushed::Dropped;
        }
        if self.bytes + bytes.len() > limit {
            self.drop_ephemeral();
        }
        if self.bytes + bytes.len() > limit {
            return match class {
                Class::Ephemeral => Pushed::Dropped,
                Class::Lasting => Pushed::Overflow,
            };
        }
        self.append(Queued { bytes, at, class });
        Pushed::Queued
    }

    /// Adds the last frames; whatever comes later is dropped. `discard` gives up what waits, save
    /// the rest of a frame that is written in part. False when it is closing already.
    pub(crate) fn close(&mut self, bye: &Goodbye, discard: bool, at: u64) -> bool {
        if self.closing {
            return false;
        }
        if discard {
            self.rest = VecDeque::new();
            self.first.take_if(|_| self.offset == 0);
            self.bytes = self.first.as_ref().map_or(0, |first| first.bytes.len());
        }
        for bytes in bye.frames() {
            self.append(Queued { bytes, at, class: Class::Lasting });
        }
        self.closing = true;
        true
    }

    /// Adds the answer to the client's close; whatever comes later is dropped.
    pub(crate) fn finish(&mut self, close: Bytes, at: u64) {
        if !self.closing {
            self.append(Queued { bytes: close, at, class: Class::Lasting });
            self.closing = true;
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// When the frame that waits longest was pushed.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.first.as_ref().map(|first| first.at)
    }

    /// Writes what the stream takes.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut Context<'_>, &[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> io::Result<Written> {
        let mut written = Written::default();
        // Bounded by the backlog: each round takes from it or returns.
        while let Some(first) = &self.first {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            slices[0] = IoSlice::new(first.bytes.get(self.offset..).unwrap_or_default());
            let mut used = 1;
            for (slice, queued) in slices[1..].iter_mut().zip(&self.rest) {
                *slice = IoSlice::new(&queued.bytes);
                used += 1;
            }
            match write(cx, &slices[..used]) {
                Poll::Pending => return Ok(Written { left: self.bytes, ..written }),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    written.bytes += count;
                    written.frames += self.advance(count);
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(written)
    }

    fn append(&mut self, queued: Queued) {
        self.bytes += queued.bytes.len();
        match &self.first {
            None => self.first = Some(queued),
            Some(_) => self.rest.push_back(queued),
        }
    }

    /// Takes out what is written; gives how many frames that was.
    fn advance(&mut self, count: usize) -> usize {
        let mut frames = 0;
        self.offset += count;
        while let Some(first) = &self.first {
            let length = first.bytes.len();
            if self.offset < length {
                return frames;
            }
            frames += 1;
            self.offset -= length;
            self.bytes -= length;
            self.first = self.rest.pop_front();
        }
        self.rest = VecDeque::new();
        frames
    }

    fn drop_ephemeral(&mut self) {
        let before = self.rest.len();
        self.rest.retain(|queued| queued.class == Class::Lasting);
        if self.offset == 0
            && let Some(first) = &self.first
            && first.class == Class::Ephemeral
        {
            self.first = self.rest.pop_front();
        }
        let first = self.first.as_ref().map_or(0, |first| first.bytes.len());
        self.bytes = first + self.rest.iter().map(|queued| queued.bytes.len()).sum::<usize>();
        crate::telemetry::ephemeral_dropped(before.saturating_sub(self.rest.len()));
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn frame(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    /// Lets the stream take `space` bytes.
    fn write(outbox: &mut Outbox, space: usize) -> (Vec<u8>, bool) {
        let mut taken = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        let written = outbox
            .poll_write(&mut context, |_, slices| {
                let all = slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
                let count = all.len().min(space - taken.len());
                taken.extend_from_slice(&all[..count]);
                if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
            })
            .unwrap();
        assert_eq!(written.bytes, taken.len());
        (taken, written.left == 0)
    }

    #[test]
    fn frames_come_out_in_order_however_the_stream_cuts_them() {
        for space in 1..=12 {
            let mut outbox = Outbox::default();
            for text in ["one", "two", "three"] {
                assert_eq!(outbox.push(frame(text), Class::Lasting, 0, 100), Pushed::Queued);
            }
            let mut all = Vec::new();
            while outbox.bytes > 0 {
                all.extend(write(&mut outbox, space).0);
            }
            assert_eq!(all, b"onetwothree");
            assert_eq!((outbox.rest.capacity(), outbox.offset), (0, 0));
        }
    }

    #[test]
    fn ephemeral_frames_make_room_and_a_full_box_overflows() {
        let mut outbox = Outbox::default();
        outbox.push(frame("typing"), Class::Ephemeral, 0, 10);
        outbox.push(frame("e1"), Class::Lasting, 0, 10);
        assert_eq!(outbox.push(frame("entry"), Class::Lasting, 0, 10), Pushed::Queued);
        assert_eq!(outbox.bytes, 7, "typing went");
        assert_eq!(outbox.push(frame("typing"), Class::Ephemeral, 0, 10), Pushed::Dropped);
        assert_eq!(outbox.push(frame("more"), Class::Lasting, 0, 10), Pushed::Overflow);
        assert_eq!(write(&mut outbox, 100).0, b"e1entry");
    }

    #[test]
    fn a_frame_that_is_written_in_part_is_finished() {
        let mut outbox = Outbox::default();
        outbox.push(frame("typing"), Class::Ephemeral, 0, 10);
        assert_eq!(write(&mut outbox, 2).0, b"ty");
        assert_eq!(outbox.push(frame("entry"), Class::Lasting, 0, 10), Pushed::Overflow);
        assert!(outbox.close(&Goodbye::slow_consumer(), true, 0));
        assert!(!outbox.close(&Goodbye::slow_consumer(), true, 0), "once");
        assert_eq!(outbox.push(frame("x"), Class::Lasting, 0, 1_000), Pushed::Dropped);
        let rest = write(&mut outbox, 1_000).0;
        assert!(rest.starts_with(b"ping"), "the rest of the frame comes first");
        assert!(rest.windows(13).any(|part| part == b"slow_consumer"));
    }
}
