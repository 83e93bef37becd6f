//! Faults on purpose, for tests only (feature `faults`): a process that ends between two steps,
//! streams that split, double and delay their batches, and stores that break a promise.
//!
//! Decorators around the ports, so that the code under test is the code that is shipped.

mod broken;
mod log;
mod reads;
mod stores;

pub use broken::Broken;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use verbatim_ports::{
    auth::Tickets,
    conversations::ConversationStore,
    history::{HistoryStore, HistoryWriter},
    inbox::InboxCache,
    log::EventLog,
};

/// Which faults to make.
#[derive(Debug, Default)]
pub struct Faults {
    crash: Option<(String, u64)>,
    seen: AtomicU64,
    /// Hand records out one by one.
    split: bool,
    /// Hand every batch out twice.
    double: bool,
    /// Yield between batches for a random while.
    delay: bool,
    /// The promise that is broken.
    broken: Option<Broken>,
}

impl Faults {
    /// Every point at which the process can end, before or after the step.
    pub const POINTS: &[&str] = &[
        "events:before",
        "events:after",
        "timeline:before",
        "timeline:after",
        "state:before",
        "state:after",
        "history:before",
        "history:after",
        "rebuild:before",
        "rebuild:after",
        "promote:before",
        "promote:after",
    ];

    /// Reads `crash=POINT:N` (end the process at the Nth passing of a point), `split`, `double`,
    /// `delay` and `broken=PROMISE` ([`Broken`]), separated by commas. None when a part is not known.
    pub fn parse(text: &str) -> Option<Self> {
        let mut faults = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            match part {
                "split" => faults.split = true,
                "double" => faults.double = true,
                "delay" => faults.delay = true,
                _ => match part.strip_prefix("broken=") {
                    Some(broken) => faults.broken = Some(Broken::parse(broken)?),
                    None => {
                        let (point, count) = part.strip_prefix("crash=")?.rsplit_once(':')?;
                        Self::POINTS.contains(&point).then_some(())?;
                        faults.crash = Some((point.to_owned(), count.parse().ok()?));
                    }
                },
            }
        }
        Some(faults)
    }

    /// The log with these faults.
    pub fn log(self: &Arc<Self>, inner: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(log::FaultyLog { inner, faults: Arc::clone(self) })
    }

    /// The timeline's state with these faults.
    pub fn conversations(
        self: &Arc<Self>,
        inner: Arc<dyn ConversationStore>,
    ) -> Arc<dyn ConversationStore> {
        Arc::new(stores::FaultyConversations { inner, faults: Arc::clone(self) })
    }

    /// History's projection with these faults.
    pub fn history(self: &Arc<Self>, inner: Arc<dyn HistoryWriter>) -> Arc<dyn HistoryWriter> {
        Arc::new(stores::FaultyHistory { inner, faults: Arc::clone(self) })
    }

    /// History's reads with these faults.
    pub fn reads(&self, inner: Arc<dyn HistoryStore>) -> Arc<dyn HistoryStore> {
        Arc::new(reads::BrokenReads { inner, broken: self.broken })
    }

    /// The inbox with these faults.
    pub fn inbox(&self, inner: Arc<dyn InboxCache>) -> Arc<dyn InboxCache> {
        Arc::new(broken::BrokenInbox { inner, broken: self.broken })
    }

    /// Tickets with these faults.
    pub fn tickets(&self, inner: Arc<dyn Tickets>) -> Arc<dyn Tickets> {
        Arc::new(broken::BrokenTickets::new(inner, self.broken))
    }

    /// Ends the process, as SIGKILL does, when this is the moment.
    fn pass(&self, step: &str, when: &str) {
        let Some((point, count)) = &self.crash else { return };
        let here = point.strip_suffix(when).and_then(|point| point.strip_suffix(':'));
        if here == Some(step) && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == *count {
            std::process::abort();
        }
    }
}
