//! The embedded stores of a data folder.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use verbatim_adapters::embedded::{
    conversations::EmbeddedConversations,
    folder::DataFolder,
    history::History,
    inbox::Inbox,
    log::{EmbeddedLog, LogSettings},
    presence::EmbeddedPresence,
    tickets::MemoryTickets,
};
use verbatim_ports::{
    StoreError,
    auth::Tickets,
    clock::{Clock, Entropy},
    conversations::ConversationStore,
    history::{HistoryStore, HistoryWriter},
    inbox::InboxCache,
    log::EventLog,
    presence::PresenceStore,
};

use crate::clock::{SystemClock, SystemEntropy};

/// Every port, kept.
#[derive(Clone)]
pub struct Stores {
    /// The two streams.
    pub log: Arc<dyn EventLog>,
    /// The timeline's state.
    pub conversations: Arc<dyn ConversationStore>,
    /// History, written.
    pub history_writer: Arc<dyn HistoryWriter>,
    /// History, read.
    pub history: Arc<dyn HistoryStore>,
    /// Heads and unread counts.
    pub inbox: Arc<dyn InboxCache>,
    /// Who is online.
    pub presence: Arc<dyn PresenceStore>,
    /// Tickets that open sockets.
    pub tickets: Arc<dyn Tickets>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Opens or makes the stores of a folder; `vfs` names a SQLite VFS for all of them (tests of power
/// cuts), none is the system's. Blocks on the disk.
pub fn open(folder: &Path, partitions: u32, vfs: Option<String>) -> anyhow::Result<Stores> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let folder = Arc::new(DataFolder::lock_on(folder, vfs).context("cannot open the data folder")?);
    let settings = LogSettings { partitions, ..LogSettings::default() };
    let log = opened(
        "the log",
        EmbeddedLog::open(&folder, settings, &clock),
        "if chat.timeline.db is what is damaged, delete chat.timeline.db*, it is ruled again; chat.events.db \
         must be restored from a copy",
    )?;
    let layout = log.layout();
    let conversations = opened(
        "the timeline's state",
        EmbeddedConversations::open(&folder),
        "delete conversations.db*, it is folded again",
    )?;
    let history = Arc::new(opened(
        "the history",
        History::open(folder.clone(), layout),
        "delete history*.db*, they are projected again",
    )?);
    let presence = opened(
        "the times last seen",
        EmbeddedPresence::open(&folder, clock.clone()),
        "delete presence.db*, the times are forgotten",
    )?;
    let stores = Stores {
        log: Arc::new(log),
        conversations: Arc::new(conversations),
        history_writer: history.clone(),
        history,
        inbox: Arc::new(Inbox::new(layout)),
        presence: Arc::new(presence),
        tickets: Arc::new(MemoryTickets::new(clock.clone(), entropy.clone())),
        clock,
        entropy,
    };
    with_faults(stores)
}

/// A store, or why it can't be opened, with what to do where its data is damaged.
fn opened<T>(what: &str, store: Result<T, StoreError>, advice: &str) -> anyhow::Result<T> {
    store.map_err(|error| {
        let advice = match error {
            StoreError::Corrupt(_) => format!("; {advice}"),
            _ => String::new(),
        };
        anyhow::anyhow!("cannot open {what}: {error}{advice}")
    })
}

/// The stores with the faults that `TEST_VERBATIM_FAULTS` names.
#[cfg(feature = "faults")]
fn with_faults(mut stores: Stores) -> anyhow::Result<Stores> {
    use verbatim_adapters::faults::Faults;
    let Ok(text) = std::env::var("TEST_VERBATIM_FAULTS") else { return Ok(stores) };
    let faults = Arc::new(Faults::parse(&text).context("TEST_VERBATIM_FAULTS is not readable")?);
    stores.log = faults.log(stores.log);
    stores.conversations = faults.conversations(stores.conversations);
    stores.history_writer = faults.history(stores.history_writer);
    stores.history = faults.reads(stores.history);
    stores.inbox = faults.inbox(stores.inbox);
    stores.tickets = faults.tickets(stores.tickets);
    Ok(stores)
}

#[cfg(not(feature = "faults"))]
#[expect(clippy::unnecessary_wraps, reason = "the build with faults can fail here")]
fn with_faults(stores: Stores) -> anyhow::Result<Stores> {
    Ok(stores)
}
