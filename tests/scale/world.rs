//! The log, the timeline projector and its state, without a server around them.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::watch;
use verbatim_adapters::embedded::{
    conversations::EmbeddedConversations,
    folder::DataFolder,
    log::{EmbeddedLog, LogSettings},
};
use verbatim_domain::state::{BatchNeeds, Change, MemberRow, Needs};
use verbatim_ports::{
    clock::Clock,
    conversations::ConversationStore,
    log::{EventLog, NewRecord, Stream, Tail},
};
use verbatim_projectors::{Handle, Projectors};
use verbatim_schemas::{
    ConversationId, Event, EventBody, Kind, Name, Posting, Rev, Role, Ruling, Salt, Seq, Text,
    Timestamp, Visibility,
    event::{ConversationCreated, MemberAdded, MemberRemoved, MessageSent, Read},
};
use verbatim_server::clock::SystemClock;
use verbatim_tests::new_id;

use crate::counting::Counted;

/// Rows that are written in one transaction.
const CHUNK: usize = 50_000;

pub fn message(text: &str) -> EventBody {
    EventBody::MessageSent(MessageSent { text: Text::new(text).unwrap(), metadata: None })
}

pub fn read(up_to: Seq) -> EventBody {
    EventBody::Read(Read { up_to, delivered: None })
}

pub fn add(user: &str, role: Role) -> EventBody {
    EventBody::MemberAdded(MemberAdded { user_id: user.parse().unwrap(), role })
}

pub fn leave(user: &str) -> EventBody {
    EventBody::MemberRemoved(MemberRemoved { user_id: user.parse().unwrap() })
}

/// One partition, with one channel.
pub struct World {
    folders: Vec<TempDir>,
    log: Arc<EmbeddedLog>,
    pub store: Arc<Counted>,
    clock: Arc<dyn Clock>,
    timeline: Box<dyn Tail>,
    projectors: Option<Handle>,
    stay: watch::Sender<bool>,
    channel: ConversationId,
}

fn store() -> (TempDir, Arc<Counted>) {
    let path = TempDir::new().unwrap();
    let folder = Arc::new(DataFolder::lock(path.path()).unwrap());
    (path, Arc::new(Counted::new(EmbeddedConversations::open(&folder).unwrap())))
}

impl World {
    /// A log and a projector that rules on it.
    pub async fn start() -> Self {
        let path = TempDir::new().unwrap();
        let folder = Arc::new(DataFolder::lock(path.path()).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // The log keeps little in memory, so that what is measured is what a fold holds.
        let recent_bytes = 256 * 1024;
        let settings = LogSettings { partitions: 1, recent_bytes, ..LogSettings::default() };
        let log = Arc::new(EmbeddedLog::open(&folder, settings, &clock).unwrap());
        let timeline = log.tail(Stream::Timeline, vec![(0, 0)]).await.unwrap();
        let (state, store) = store();
        let channel = new_id().parse().unwrap();
        let (stay, _) = watch::channel(false);
        let mut world = Self {
            folders: vec![path, state],
            log,
            store,
            clock,
            timeline,
            projectors: None,
            stay,
            channel,
        };
        world.resume();
        world
    }

    /// Starts the projector.
    pub fn resume(&mut self) {
        let (log, clock) = (self.log.clone(), self.clock.clone());
        let projectors = Projectors::new(log, clock, self.stay.subscribe());
        self.projectors = Some(projectors.timeline(self.store.clone()).start());
    }

    /// Stops the projector, and gives it a new, empty store.
    pub async fn forget(&mut self) {
        self.stop().await;
        let (folder, store) = store();
        self.folders.push(folder);
        self.store = store;
    }

    /// Stops the projector.
    pub async fn stop(&mut self) {
        if let Some(projectors) = self.projectors.take() {
            projectors.stop().await;
        }
    }

    /// Founds the channel by its admin, and puts as many members into it as are wanted: rows, as the
    /// fold of as many `member_added` would leave them.
    pub async fn found(&mut self, members: u32) {
        let founding = EventBody::ConversationCreated(ConversationCreated {
            kind: Kind::Channel,
            name: Some(Name::new("News").unwrap()),
            members: Vec::new(),
            history: Visibility::All,
            posting: Posting::Members,
        });
        self.rule(&self.event("admin", founding)).await;
        self.rule(&self.event("admin", message("first"))).await;
        if members < 2 {
            return;
        }
        self.stop().await;
        let checkpoint = self.store.checkpoint(0).await.unwrap().unwrap();
        let needs = BatchNeeds::from([(self.channel, Needs::default())]);
        let states = self.store.load(0, needs).await.unwrap();
        let mut head = states[&self.channel].head.clone().unwrap();
        head.member_count = members;
        let mut changes = vec![(self.channel, Change::Head(Box::new(head)))];
        for n in 0..members - 1 {
            changes.push((
                self.channel,
                Change::Member(format!("user-{n}").parse().unwrap(), Some(row(n))),
            ));
            if changes.len() == CHUNK || n == members - 2 {
                let rows = std::mem::take(&mut changes);
                self.store.save(0, Some(checkpoint.src), rows, checkpoint).await.unwrap();
            }
        }
        self.resume();
    }

    /// An event of the channel.
    pub fn event(&self, actor: &str, body: EventBody) -> Event {
        Event {
            id: new_id().parse().unwrap(),
            conversation_id: self.channel,
            actor: actor.parse().unwrap(),
            salt: Salt([7; 16]),
            body,
        }
    }

    /// Appends an event and waits for the ruling on it, on the timeline and saved.
    pub async fn rule(&mut self, event: &Event) -> Ruling {
        self.rule_all(vec![event.clone()]).await
    }

    /// Appends events and waits until the ruling on the last is on the timeline and saved.
    pub async fn rule_all(&mut self, events: Vec<Event>) -> Ruling {
        let mut last = 0;
        for some in events.chunks(1_000) {
            let records = some.iter().map(|event| NewRecord {
                partition: 0,
                key: Bytes::from(event.conversation_id.to_string()),
                value: event.encode().unwrap().into(),
            });
            let appended = self.log.append(Stream::Events, records.collect()).await.unwrap();
            last = appended.last().unwrap().offset;
        }
        loop {
            for record in self.timeline.next().await.unwrap().records {
                let ruling = Ruling::decode(&record.value).unwrap();
                if ruling.src.offset == last {
                    self.store.saved(last).await;
                    return ruling;
                }
            }
        }
    }
}

/// A member who joined as the `n`th.
fn row(n: u32) -> MemberRow {
    MemberRow {
        role: Role::Member,
        since: Timestamp::from_millis(1),
        since_rev: Rev(u64::from(n) + 2),
        delivered: Seq(0),
        read: Seq(0),
        receipt_at: None,
    }
}
