//! Appends that wait for the writer, in the order of the calls.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;
use verbatim_ports::log::{AppendError, Appended, NewRecord, Stream};

use super::LogSettings;

/// One call of `append`.
pub(super) struct Request {
    pub(super) records: Vec<NewRecord>,
    pub(super) reply: oneshot::Sender<Result<Vec<Appended>, AppendError>>,
}

impl Request {
    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.key.len() + record.value.len()).sum()
    }
}

/// Most records of one transaction, so that its first append does not wait long for its last.
const TRANSACTION_RECORDS: usize = 8_192;
/// About the most bytes of one transaction.
const TRANSACTION_BYTES: usize = 8 * 1024 * 1024;

/// The queue. Full, it refuses at once.
pub(super) struct Queue {
    max_records: usize,
    max_bytes: usize,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    failing: Mutex<Option<String>>,
    depth: metrics::Gauge,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    records: usize,
    bytes: usize,
    closed: bool,
    /// The writer sleeps; else it looks at the queue before it does.
    idle: bool,
}

impl Queue {
    pub(super) fn new(stream: Stream, settings: LogSettings) -> Self {
        Self {
            max_records: settings.queue_records,
            max_bytes: settings.queue_bytes,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            failing: Mutex::default(),
            depth: metrics::gauge!("verbatim_log_waiting_records", "stream" => stream.name()),
        }
    }

    /// Notes how a transaction went: with what error, or none.
    pub(super) fn ended(&self, error: Option<&AppendError>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        *failing = error.map(ToString::to_string);
    }

    /// The error of the last transaction, if it had one.
    pub(super) fn failing(&self) -> Option<String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a place in the order.
    pub(super) fn push(&self, request: Request) -> Result<(), AppendError> {
        let (records, bytes) = (request.records.len(), request.bytes());
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(AppendError::Unavailable("the log is closed".into()));
        }
        let fits = waiting.records + records <= self.max_records
            && waiting.bytes + bytes <= self.max_bytes;
        if !fits && !waiting.requests.is_empty() {
            return Err(AppendError::Unavailable("too much waits to be written".into()));
        }
        waiting.requests.push_back(request);
        waiting.records += records;
        waiting.bytes += bytes;
        self.depth.set(waiting.records as f64);
        if std::mem::take(&mut waiting.idle) {
            drop(waiting);
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for appends and takes as many as one transaction should hold; none when the queue is
    /// closed and empty.
    pub(super) fn take(&self) -> VecDeque<Request> {
        let mut waiting = self.lock();
        while waiting.requests.is_empty() && !waiting.closed {
            waiting.idle = true;
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.idle = false;
        if waiting.records <= TRANSACTION_RECORDS && waiting.bytes <= TRANSACTION_BYTES {
            (waiting.records, waiting.bytes) = (0, 0);
            self.depth.set(0.0);
            return std::mem::take(&mut waiting.requests);
        }
        let mut taken = VecDeque::new();
        let (mut records, mut bytes) = (0, 0);
        while records < TRANSACTION_RECORDS && bytes < TRANSACTION_BYTES {
            let Some(request) = waiting.requests.pop_front() else { break };
            records += request.records.len();
            bytes += request.bytes();
            taken.push_back(request);
        }
        waiting.records -= records;
        waiting.bytes -= bytes;
        self.depth.set(waiting.records as f64);
        taken
    }

    /// Takes no more appends.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// No call panics between two changes that belong together.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
