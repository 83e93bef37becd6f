//! What clients did and saw, for the [checker](crate::checker).

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::sync::watch;

/// A message that somebody wanted to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Who.
    pub user: String,
    /// Where to.
    pub conversation: String,
    /// The message's id.
    pub id: String,
    /// What it says.
    pub text: String,
    /// The socket of the first attempt, when it was one: what is sent on it keeps its order.
    pub line: Option<u64>,
}

/// A message that was acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Acked {
    /// Where.
    pub conversation: String,
    /// Its id.
    pub id: String,
    /// Its number among the messages.
    pub seq: u64,
    /// Its entry.
    pub rev: u64,
    /// `created_at`.
    pub at: String,
    /// Whether the first attempt was answered.
    pub first: bool,
}

/// One member's watermarks, as an acknowledgement or somebody's socket told them.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Who was told; marks of one observer came in this order.
    pub observer: String,
    /// Where.
    pub conversation: String,
    /// Whose.
    pub user: String,
    /// Up to which message.
    pub delivered: u64,
    /// Up to which message.
    pub read: u64,
}

/// Entries of one conversation as one observer got them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// Whose rights it was read with.
    pub user: String,
    /// Which copy or socket, for the report.
    pub name: String,
    /// Which conversation.
    pub conversation: String,
    /// In the order in which they were taken.
    pub entries: Vec<Value>,
    /// The rev that the first must follow; none where it may begin anywhere.
    pub after: Option<u64>,
    /// Whether it must reach the end.
    pub whole: bool,
}

/// A conversation as a member read it over REST when all was quiet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Who read it.
    pub user: String,
    /// Which conversation.
    pub conversation: String,
    /// Every entry, by rev.
    pub entries: Vec<Value>,
    /// Every message, by seq.
    pub messages: Vec<Value>,
    /// Every member's watermarks: who, delivered, read.
    pub receipts: Vec<(String, u64, u64)>,
    /// What the inbox counts as unread.
    pub unread: u64,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// In the order of the first attempts.
    pub asked: Vec<Asked>,
    /// Every acknowledgement, repeats too.
    pub acked: Vec<Acked>,
    /// Conversation and id of what was ruled out.
    pub refused: Vec<(String, String)>,
    /// Watermarks as they were told.
    pub marks: Vec<Mark>,
    /// What copies and sockets got.
    pub views: Vec<View>,
    /// How it ended.
    pub histories: Vec<History>,
}

/// Takes a record down from many tasks at once.
#[derive(Debug)]
pub struct Recorder {
    record: Mutex<Record>,
    acks: watch::Sender<usize>,
    /// What each client waits for, to be told where a test does not end.
    waiting: Mutex<BTreeMap<String, String>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { record: Mutex::default(), acks: watch::channel(0).0, waiting: Mutex::default() }
    }
}

impl Recorder {
    /// A message is about to be sent for the first time.
    pub fn asked(&self, asked: Asked) {
        self.lock().asked.push(asked);
    }

    /// A message was acknowledged.
    pub fn acked(&self, acked: Acked) {
        self.lock().acked.push(acked);
        self.acks.send_modify(|count| *count += 1);
    }

    /// A message was ruled out.
    pub fn refused(&self, conversation: &str, id: &str) {
        self.lock().refused.push((conversation.to_owned(), id.to_owned()));
    }

    /// Somebody's watermarks were told.
    pub fn mark(&self, mark: Mark) {
        self.lock().marks.push(mark);
    }

    /// Somebody's view is complete.
    pub fn view(&self, view: View) {
        self.lock().views.push(view);
    }

    /// A history was read; what the same reader read of it before no longer counts.
    pub fn history(&self, history: History) {
        let mut record = self.lock();
        let same =
            |old: &History| old.user == history.user && old.conversation == history.conversation;
        record.histories.retain(|old| !same(old));
        record.histories.push(history);
    }

    /// A client waits for something.
    pub fn waits(&self, who: &str, what: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(who.to_owned(), what);
    }

    /// What each client waits for.
    pub fn waiting(&self) -> String {
        format!("{:#?}", self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many acknowledgements came; to be awaited.
    pub fn acks(&self) -> watch::Receiver<usize> {
        self.acks.subscribe()
    }

    /// What was taken down so far. What comes later need not be in the views that end here.
    pub fn pause(&self) -> Record {
        let mut record = self.lock();
        let now = record.clone();
        record.views.iter_mut().for_each(|view| view.whole = false);
        now
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
