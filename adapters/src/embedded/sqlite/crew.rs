//! Threads that work on connections, behind one bounded queue.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::oneshot;
use verbatim_ports::StoreError;

use super::failure::Outcome;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Threads with a connection each. Dropping it does what is queued, then waits for the threads.
pub(super) struct Crew {
    name: String,
    queue: Mutex<Option<SyncSender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    pub(super) fn start(
        name: &str,
        connections: Vec<Connection>,
        queue: usize,
    ) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let crew = Self {
            name: name.to_owned(),
            queue: Mutex::new(Some(sender)),
            threads: Mutex::default(),
        };
        for connection in connections {
            let jobs = receiver.clone();
            let thread = thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || work(connection, &jobs))
                .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))?;
            lock(&crew.threads).push(thread);
        }
        Ok(crew)
    }

    /// Queues a job at once, before the future is polled; dropping the future changes nothing.
    ///
    /// A job that panics answers [`StoreError::Corrupt`], which stops whoever asked; its transaction
    /// is rolled back, and the thread goes on.
    pub(super) fn call<T, F>(
        &self,
        job: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let name = self.name.clone();
        let run = Box::new(move |connection: &mut Connection| {
            let outcome = catch_unwind(AssertUnwindSafe(|| job(connection)));
            let result = outcome.map(|outcome| outcome.map_err(StoreError::from));
            // Nobody may be waiting any more.
            let _ = reply.send(result.unwrap_or_else(|_| {
                tracing::error!(store = name, "a job on the store panicked");
                Err(StoreError::Corrupt(format!("a job on {name} panicked")))
            }));
        });
        let queued = self.queue(run);
        async move {
            queued?;
            answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the store closed".into())))
        }
    }

    fn queue(&self, job: Job) -> Result<(), StoreError> {
        let unavailable = |why: &str| StoreError::Unavailable(format!("{}: {why}", self.name));
        match &*lock(&self.queue) {
            None => Err(unavailable("closed")),
            Some(queue) => queue.try_send(job).map_err(|error| match error {
                TrySendError::Full(_) => unavailable("too many requests at once"),
                TrySendError::Disconnected(_) => unavailable("stopped"),
            }),
        }
    }

    /// Takes no more jobs, does what is queued and waits for the threads.
    pub(super) fn close(&self) {
        drop(lock(&self.queue).take());
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            // The last owner may be a job; a thread can't wait for itself, and is about to end.
            if thread.thread().id() != thread::current().id() {
                // Jobs that panic are caught, so there is nothing to learn.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.close();
    }
}

fn work(mut connection: Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: one of the idle threads waits for the job, the others
        // for the lock.
        let job = lock(jobs).recv();
        let Ok(job) = job else { return };
        job(&mut connection);
    }
}

/// What the locks guard is whole at any moment, so a panic elsewhere is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
