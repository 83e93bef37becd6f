//! One socket: what others see of it, and the task that serves it.

mod busy;
mod connection;
mod core;
mod frames;
pub(crate) mod goodbye;
mod hello;
mod ops;
mod outbox;
mod receipts;
mod timers;

use std::{
    io::{self, IoSlice},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;

pub(crate) use connection::Connection;
pub(crate) use goodbye::Goodbye;
pub(crate) use outbox::{Class, Pushed, Written};

use crate::telemetry;
use outbox::Outbox;

/// The task has been woken and did not run yet.
const WOKEN: u8 = 1;
/// A timer of the session is due.
const TIMER: u8 = 2;

/// What the hub, the timers and the presence desk see of a socket: where frames for it are put, and
/// how its task is woken.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its place in the hub; given out again after it ended.
    pub(crate) slot: u32,
    /// Its number, never given out again; the lower of two is the older.
    pub(crate) number: u64,
    /// Most bytes that wait for it.
    backlog: usize,
    waker: AtomicWaker,
    flags: AtomicU8,
    outbox: Mutex<Outbox>,
}

impl Session {
    pub(crate) fn new(slot: u32, number: u64, backlog: usize) -> Self {
        Self {
            slot,
            number,
            backlog,
            waker: AtomicWaker::new(),
            flags: AtomicU8::new(0),
            outbox: Mutex::default(),
        }
    }

    /// Puts a frame into the backlog; does not wake the task. A socket without room is closed.
    pub(crate) fn push(&self, bytes: Bytes, class: Class, now: u64) -> Pushed {
        let mut outbox = self.outbox();
        let pushed = outbox.push(bytes, class, now, self.backlog);
        if pushed == Pushed::Overflow {
            outbox.close(&Goodbye::slow_consumer(), true, now);
            telemetry::slow_consumer();
        }
        pushed
    }

    /// Puts a frame into the backlog and wakes the task.
    pub(crate) fn send(&self, bytes: Bytes, class: Class, now: u64) -> Pushed {
        let pushed = self.push(bytes, class, now);
        if pushed != Pushed::Dropped {
            self.wake();
        }
        pushed
    }

    /// Says goodbye and wakes the task, which ends.
    pub(crate) fn close(&self, bye: &Goodbye, now: u64) {
        if self.outbox().close(bye, false, now) {
            telemetry::closed(bye.code);
            self.wake();
        }
    }

    /// Closes for reading too slowly: what waits is given up.
    pub(crate) fn close_slow(&self, now: u64) {
        if self.outbox().close(&Goodbye::slow_consumer(), true, now) {
            telemetry::slow_consumer();
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        if self.mark() {
            self.waker.wake();
        }
    }

    /// Notes that the task has to be woken; true for who has to do it.
    pub(crate) fn mark(&self) -> bool {
        self.flags.fetch_or(WOKEN, Ordering::AcqRel) & WOKEN == 0
    }

    /// Wakes the task after [`mark`](Self::mark).
    pub(crate) fn wake_marked(&self) {
        self.waker.wake();
    }

    /// Tells the task to look at its timers.
    pub(crate) fn timer_due(&self) {
        self.flags.fetch_or(TIMER, Ordering::AcqRel);
        self.wake();
    }

    /// For the task, at the start of a poll: whom to wake, and whether a timer is due.
    pub(crate) fn begin(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.flags.swap(0, Ordering::AcqRel) & TIMER != 0
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.outbox().is_closing()
    }

    /// Answers the client's close.
    pub(crate) fn finish(&self, close: Bytes, now: u64) {
        self.outbox().finish(close, now);
    }

    /// When the frame that waits longest was pushed.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.outbox().oldest()
    }

    /// Writes what the stream takes.
    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut(&mut Context<'_>, &[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> io::Result<Written> {
        // The lock is held over a write that does not block; whoever pushes meanwhile waits for one
        // system call.
        self.outbox().poll_write(cx, write)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
