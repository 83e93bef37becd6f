//! The rule in a loop: what the timeline projector does, without its store.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::watch;
use verbatim_domain::{ConversationState, Proposal, apply, decide};
use verbatim_ports::log::{EventLog, NewRecord, Record, Stream};
use verbatim_schemas::{ConversationId, Ruling, Src};

use super::{FakeLog, log::PARTITIONS};

/// Rules on every record.
pub struct Ruler {
    held: watch::Sender<bool>,
    repeats: Arc<AtomicBool>,
}

impl Ruler {
    pub fn start(log: FakeLog) -> Self {
        let (held, receiver) = watch::channel(false);
        let repeats = Arc::new(AtomicBool::new(false));
        tokio::spawn(rule(log, receiver, repeats.clone()));
        Self { held, repeats }
    }

    /// Stops ruling, or goes on.
    pub fn hold(&self, hold: bool) {
        self.held.send_replace(hold);
    }

    /// From now on every ruling comes twice.
    pub fn repeat(&self) {
        self.repeats.store(true, Ordering::SeqCst);
    }
}

async fn rule(log: FakeLog, mut held: watch::Receiver<bool>, repeats: Arc<AtomicBool>) {
    let mut states: BTreeMap<ConversationId, ConversationState> = BTreeMap::new();
    let mut last: BTreeMap<u32, Src> = BTreeMap::new();
    let from = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let mut tail = log.tail(Stream::Events, from).await.unwrap();
    while let Ok(batch) = tail.next().await {
        for record in batch.records {
            if held.wait_for(|held| !held).await.is_err() {
                return;
            }
            let src = log.layout().src(batch.partition, record.offset);
            let prev = last.insert(batch.partition, src);
            let ruling = rule_one(&mut states, src, prev, &record);
            let value = Bytes::from(ruling.encode().unwrap());
            let new = NewRecord { partition: batch.partition, key: record.key, value };
            let count = 1 + usize::from(repeats.load(Ordering::SeqCst));
            log.append(Stream::Timeline, vec![new; count]).await.unwrap();
        }
    }
}

fn rule_one(
    states: &mut BTreeMap<ConversationId, ConversationState>,
    src: Src,
    prev: Option<Src>,
    record: &Record,
) -> Ruling {
    let proposal = Proposal::read(src, prev, record.time, &record.key, &record.value);
    let Some(conversation) = proposal.conversation_id else {
        return decide(&ConversationState::default(), &proposal);
    };
    let state = states.entry(conversation).or_default();
    let ruling = decide(state, &proposal);
    apply(state, &ruling);
    ruling
}
