//! The world as the ports show it.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::watch;
use verbatim_domain::{Grant, Position};
use verbatim_ports::{
    StoreError,
    commands::{Command, Commands, Outcome as Answer, Ruled, Submitted},
    follow::Checkpoint,
    history::{HistoryStore, InboxCursor, InboxPage, MembershipAt, MessagePage},
    inbox::{InboxCache, InboxHead, InboxRows, UserInbox},
    log::{
        AppendError, AppendFuture, Batch, EventLog, Layout, LogError, NewRecord, Ownership, Stream,
        Tail,
    },
    rows::ConversationRows,
};
use verbatim_schemas::{
    CommandId, ConversationId, Entry, EntryBody, Outcome, Problem, Rev, Ruling, Src, UserId,
    entry::Message,
    rest::{Conversation, Member, Receipt, Unread},
    ruling::First,
};

use super::world::{Projection, Script, World};

const UNUSED: &str = "the gateway has no use for this";

struct Reader {
    world: Arc<World>,
    next: Vec<(u32, u64)>,
    moved: watch::Receiver<u64>,
}

#[async_trait]
impl Tail for Reader {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            self.moved.borrow_and_update();
            if self.world.lose_log.swap(false, Ordering::SeqCst) {
                return Err(LogError::Unavailable("lost".into()));
            }
            {
                let state = self.world.state.lock().unwrap();
                for (partition, next) in self.next.iter_mut().filter(|_| !state.hidden) {
                    let records = &state.timeline[*partition as usize];
                    let from = usize::try_from(*next).unwrap().min(records.len());
                    if from < records.len() {
                        let until = records.len().min(from + 1_000);
                        *next = until as u64;
                        let records = records[from..until].to_vec();
                        return Ok(Batch { partition: *partition, records });
                    }
                }
            }
            self.moved.changed().await.unwrap();
        }
    }
}

#[async_trait]
impl EventLog for World {
    fn layout(&self) -> Layout {
        Layout { generation: 0, partitions: self.partitions }
    }

    fn append(&self, _: Stream, _: Vec<NewRecord>) -> AppendFuture {
        async { Err(AppendError::Unavailable(UNUSED.into())) }.boxed()
    }

    fn failing(&self, _: Stream) -> Option<String> {
        Some(UNUSED.into())
    }

    async fn end(&self, _: Stream, partition: u32) -> Result<u64, LogError> {
        Ok(self.state.lock().unwrap().timeline[partition as usize].len() as u64)
    }

    async fn tail(&self, _: Stream, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        let world = self.this.upgrade().unwrap();
        Ok(Box::new(Reader { moved: world.moved.subscribe(), world, next: from }))
    }

    async fn own(&self, _: &str) -> Result<Ownership, LogError> {
        Err(LogError::Unavailable(UNUSED.into()))
    }
}

impl World {
    async fn reached(
        &self,
        projection: Projection,
        target: &Position,
        within: Duration,
    ) -> Result<(), StoreError> {
        let mut moved = self.moved.subscribe();
        let reached = async {
            loop {
                moved.borrow_and_update();
                if self.shown(projection).1.covers(target) {
                    break;
                }
                moved.changed().await.unwrap();
            }
        };
        tokio::time::timeout(within, reached).await.map_err(|_| StoreError::Behind)
    }
}

impl Commands for World {
    fn submit(&self, command: Command, _: Duration) -> Submitted {
        let Command { actor, id, conversation, body } = command;
        self.submitted.lock().unwrap().push(body.clone());
        let script = self.scripts.lock().unwrap().pop_front();
        match script {
            Some(Script::Refused(problem)) => return async { Err(problem) }.boxed(),
            Some(Script::Held(let_go)) => {
                return async move {
                    let_go.notified().await;
                    Err(verbatim_schemas::Code::OutcomeUnknown.into())
                }
                .boxed();
            }
            Some(Script::Pending) => {
                let ruling = self.rule(&actor.user, id, conversation, body);
                return async move { Ok(Answer::Pending(Position::at(ruling.src))) }.boxed();
            }
            None => {}
        }
        let ruling = self.rule(&actor.user, id, conversation, body);
        async move { answer(&ruling) }.boxed()
    }
}

fn answer(ruling: &Ruling) -> Result<Answer, Problem> {
    let position = Position::at(ruling.src);
    let mut ruled = Ruled {
        position,
        at: ruling.at,
        rev: None,
        seq: None,
        duplicate: false,
        entry: None,
        member_count: None,
        standing: None,
        receipt: None,
    };
    match &ruling.outcome {
        Outcome::Accepted(accepted) => {
            ruled.receipt = accepted.receipt.clone();
            ruled.standing = accepted.standing.clone();
            if let Some(content) = &accepted.content {
                ruled.rev = Some(content.entry.rev);
                if let EntryBody::Message { message } = &content.entry.body {
                    ruled.seq = Some(message.seq);
                }
            }
        }
        Outcome::Duplicate(duplicate) => {
            ruled.duplicate = true;
            match &duplicate.first {
                First::Accepted { rev, seq, at } => {
                    (ruled.rev, ruled.seq, ruled.at) = (*rev, *seq, *at);
                }
                First::Rejected(rejection) => return Err(rejection.code.into()),
            }
        }
        Outcome::Rejected(rejection) => return Err(rejection.code.into()),
    }
    Ok(Answer::Ruled(Box::new(ruled)))
}

#[async_trait]
impl InboxCache for World {
    async fn checkpoint(&self, _: u32) -> Result<Option<Src>, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn apply(&self, _: u32, _: ConversationRows, _: Src) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn warm(&self, _: u32, _: InboxRows, _: Src) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn clear(&self, _: u32) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        self.reached(Projection::Inbox, target, within).await
    }

    async fn user(&self, user: &UserId, since: Option<&Position>) -> Result<UserInbox, StoreError> {
        self.inbox_calls.fetch_add(1, Ordering::SeqCst);
        let (fold, position) = self.shown(Projection::Inbox);
        let new = |src: Src| since.is_none_or(|since| !since.includes(src));
        let mut inbox = UserInbox { position, ..UserInbox::default() };
        for (id, folded) in &fold {
            let Some(known) = folded.members.get(user) else { continue };
            if !folded.is_member(user) {
                if new(known.last) {
                    inbox.left.push(*id);
                }
            } else if new(known.last) || new(folded.last) {
                inbox.heads.push(InboxHead {
                    conversation: *id,
                    kind: folded.kind,
                    head_rev: folded.head_rev(),
                    head_seq: folded.head_seq,
                    delivered: known.receipt.delivered,
                    read: known.receipt.read,
                    active_at: folded.active_at,
                });
            }
        }
        inbox.heads.sort_by_key(|head| std::cmp::Reverse((head.active_at, head.conversation)));
        Ok(inbox)
    }

    async fn unread(&self, _: &UserId) -> Result<(Unread, Position), StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn seems_member(&self, _: ConversationId, _: &UserId) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }
}

#[async_trait]
impl HistoryStore for World {
    async fn position(&self) -> Result<Position, StoreError> {
        Ok(self.shown(Projection::History).1)
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        self.reached(Projection::History, target, within).await
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<MembershipAt, StoreError> {
        let (fold, position) = self.shown(Projection::History);
        let membership = fold.get(&conversation).and_then(|folded| folded.membership(user));
        let partition = verbatim_domain::partition::of(conversation, self.partitions);
        Ok(MembershipAt { membership, position: position.only(partition) })
    }

    async fn conversation(&self, _: &Grant) -> Result<Conversation, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn members(
        &self,
        _: &Grant,
        _: Option<&UserId>,
        _: u32,
    ) -> Result<Vec<Member>, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn messages(
        &self,
        _: &Grant,
        _: MessagePage,
        _: u32,
        _: usize,
    ) -> Result<Vec<Message>, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn sent_message(
        &self,
        grant: &Grant,
        id: CommandId,
    ) -> Result<Option<Message>, StoreError> {
        let (fold, _) = self.shown(Projection::History);
        let entries = fold.get(&grant.conversation()).map(|folded| folded.entries.clone());
        Ok(entries.unwrap_or_default().into_iter().find_map(|entry| match entry.body {
            EntryBody::Message { message } if message.id == id => Some(message),
            _ => None,
        }))
    }

    async fn entries(
        &self,
        grant: &Grant,
        after: Rev,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (fold, _) = self.shown(Projection::History);
        let Some(folded) = fold.get(&grant.conversation()) else { return Ok(Vec::new()) };
        let mut bytes = 0;
        let visible = folded.entries.iter().filter(|entry| {
            entry.rev > after && entry.rev <= grant.head_rev() && grant.sees_rev(entry.rev)
        });
        let mut entries = Vec::new();
        for entry in visible.take(limit as usize) {
            bytes += serde_json::to_vec(entry).unwrap().len();
            if bytes > max_bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }

    async fn receipts(
        &self,
        _: &Grant,
        _: u32,
        _: Option<&UserId>,
        _: u32,
    ) -> Result<Vec<Receipt>, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn inbox(
        &self,
        _: &UserId,
        _: Option<InboxCursor>,
        _: u32,
        _: usize,
    ) -> Result<InboxPage, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }

    async fn sharing(
        &self,
        viewer: &UserId,
        users: &[UserId],
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let (fold, _) = self.shown(Projection::History);
        let shares = |user: &UserId| {
            user == viewer
                || fold.values().any(|folded| folded.is_member(viewer) && folded.is_member(user))
        };
        Ok(users.iter().filter(|user| shares(user)).cloned().collect())
    }

    async fn inbox_rows(&self, _: u32) -> Result<Option<(Checkpoint, InboxRows)>, StoreError> {
        Err(StoreError::Unavailable(UNUSED.into()))
    }
}
