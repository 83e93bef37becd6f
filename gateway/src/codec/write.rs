use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// The most frames that go out in one vectored write.
pub const MAX_SLICES: usize = 64;

/// How far [`poll_write_queue`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Written {
    /// Bytes that the stream took, to be subtracted from the backlog.
    pub bytes: usize,
    /// All is on its way. Otherwise the stream is full: the task is woken when it takes more, and
    /// has to call again, even with an empty queue (TLS may still hold records).
    pub done: bool,
}

/// Writes as much of `queue` as the stream takes, up to [`MAX_SLICES`] frames a system call.
///
/// What is fully written leaves the queue; `offset` counts the bytes of the first frame that are
/// written already, starts at 0 and is to be kept between calls. The items can be [`bytes::Bytes`]
/// or anything that carries a frame. A drained queue's heap is freed, so that an idle socket holds
/// none.
///
/// # Errors
/// The stream's error, or [`io::ErrorKind::WriteZero`] when it takes nothing; the connection is
/// lost.
pub fn poll_write_queue<S, F>(
    cx: &mut Context<'_>,
    stream: &mut S,
    queue: &mut VecDeque<F>,
    offset: &mut usize,
) -> io::Result<Written>
where
    S: AsyncWrite + Unpin,
    F: AsRef<[u8]>,
{
    let mut bytes = 0;
    // Bounded by the queue: each round takes from it or returns.
    while !pop_written(queue, offset) {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let used = gather(&mut slices, queue, *offset);
        let written = Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..used]);
        match written {
            Poll::Pending => return Ok(Written { bytes, done: false }),
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => {
                bytes += count;
                *offset += count;
            }
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
    let done = match Pin::new(stream).poll_flush(cx) {
        Poll::Pending => false,
        Poll::Ready(flushed) => flushed.map(|()| true)?,
    };
    Ok(Written { bytes, done })
}

/// Drops the frames that lie before `offset`, and tells whether the queue is drained.
fn pop_written<F: AsRef<[u8]>>(queue: &mut VecDeque<F>, offset: &mut usize) -> bool {
    while let Some(first) = queue.front() {
        let length = first.as_ref().len();
        if *offset < length {
            return false;
        }
        *offset -= length;
        queue.pop_front();
    }
    *offset = 0;
    *queue = VecDeque::new();
    true
}

fn gather<'a, F: AsRef<[u8]>>(
    slices: &mut [IoSlice<'a>],
    queue: &'a VecDeque<F>,
    offset: usize,
) -> usize {
    let mut used = 0;
    let mut skip = offset;
    for (slice, frame) in slices.iter_mut().zip(queue) {
        *slice = IoSlice::new(frame.as_ref().get(skip..).unwrap_or_default());
        skip = 0;
        used += 1;
    }
    used
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::{self, IoSlice};
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;
    use tokio::io::AsyncWrite;

    use super::{MAX_SLICES, Written, poll_write_queue};

    /// Takes `step` bytes a call and `space` bytes in all.
    #[derive(Default)]
    struct Narrow {
        step: usize,
        space: usize,
        taken: Vec<u8>,
        most_slices: usize,
        unflushed: bool,
        fails: bool,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            if self.fails {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if self.space == 0 {
                return Poll::Pending;
            }
            self.most_slices = self.most_slices.max(slices.len());
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let count = all.len().min(self.step).min(self.space);
            self.taken.extend_from_slice(&all[..count]);
            self.space -= count;
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.unflushed { Poll::Pending } else { Poll::Ready(Ok(())) }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn write(
        stream: &mut Narrow,
        queue: &mut VecDeque<Bytes>,
        offset: &mut usize,
    ) -> io::Result<Written> {
        poll_write_queue(&mut Context::from_waker(Waker::noop()), stream, queue, offset)
    }

    #[test]
    fn every_step_and_space_writes_the_same_bytes() {
        let frames: Vec<Bytes> =
            ["one", "", "three", "", "four!"].iter().map(|text| Bytes::from(*text)).collect();
        let all = frames.concat();
        for step in 1..=all.len() {
            for space in 1..=all.len() {
                let mut queue = VecDeque::from(frames.clone());
                let (mut offset, mut bytes) = (0, 0);
                let mut stream = Narrow { step, ..Narrow::default() };
                loop {
                    stream.space = space;
                    let written = write(&mut stream, &mut queue, &mut offset).unwrap();
                    bytes += written.bytes;
                    let left: usize = queue.iter().map(Bytes::len).sum::<usize>() - offset;
                    assert_eq!(bytes + left, all.len());
                    if written.done {
                        break;
                    }
                }
                assert_eq!((stream.taken, offset, queue.capacity()), (all.clone(), 0, 0));
            }
        }
    }

    #[test]
    fn a_long_queue_goes_out_in_bounded_writes() {
        let mut queue: VecDeque<Bytes> = (0..200).map(|_| Bytes::from_static(b"ab")).collect();
        let mut stream = Narrow { step: usize::MAX, space: usize::MAX, ..Narrow::default() };
        let written = write(&mut stream, &mut queue, &mut 0).unwrap();
        assert_eq!(written, Written { bytes: 400, done: true });
        assert_eq!(stream.most_slices, MAX_SLICES);
    }

    #[test]
    fn it_is_not_done_before_the_stream_is_flushed() {
        let mut queue = VecDeque::from([Bytes::from_static(b"ab")]);
        let mut stream = Narrow { step: 9, space: 9, unflushed: true, ..Narrow::default() };
        let written = write(&mut stream, &mut queue, &mut 0).unwrap();
        assert_eq!(written, Written { bytes: 2, done: false });
        stream.unflushed = false;
        let written = write(&mut stream, &mut queue, &mut 0).unwrap();
        assert_eq!(written, Written { bytes: 0, done: true });
    }

    #[test]
    fn a_stream_that_fails_or_takes_nothing_is_an_error() {
        let mut queue = VecDeque::from([Bytes::from_static(b"ab")]);
        let mut failing = Narrow { fails: true, ..Narrow::default() };
        let error = write(&mut failing, &mut queue, &mut 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let mut stuck = Narrow { step: 0, space: 9, ..Narrow::default() };
        let error = write(&mut stuck, &mut queue, &mut 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
