//! The contract refuses each of these histories, by the promise that it breaks.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use tempfile::TempDir;
use verbatim_domain::{
    Grant, Position,
    access::{Action, Membership, authorize},
};
use verbatim_ports::{
    StoreError,
    contract::history::{History, history_contract},
    follow::Checkpoint,
    history::{
        HistoryStore, HistoryWriter, InboxCursor, InboxPage, MembershipAt, MessagePage, Version,
    },
    inbox::InboxRows,
    rows::ConversationRows,
};
use verbatim_schemas::{
    CommandId, ConversationId, Digest, Entry, EntryBody, Kind, Metadata, Rev, Seq, Src, UserId,
    Visibility, bounds,
    entry::Message,
    rest::{Conversation, Member, Receipt},
};

use crate::support::open;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    IgnoresExpected,
    DropsARow,
    MovesTheCheckpointFirst,
    ShowsMessagesOutsideTheRanges,
    ShowsEntriesOutsideTheRanges,
    FindsSentMessagesOfOthers,
    ShowsTheHeadInTheInbox,
    KeepsRemovedMembers,
    RepeatsTheLastOfAPage,
    IgnoresTheBytes,
    GivesNothingWhereOneDoesNotFit,
    ReadsNumbersInMetadata,
    ShowsReceiptsToAll,
    ShowsReceiptsUpToTheRulesBound,
    SharesWithEverybody,
    IgnoresTheInboxCursor,
    NeverWaits,
    WaitsForWhatCannotBe,
    SleepsThroughABatch,
    DigestsNothing,
    PromotesNothing,
    KeepsWhatNeverWentLive,
    FailsWhileItRebuilds,
    ForgetsOnRestart,
    WarmsWithoutReceipts,
}
use Fault::*;

struct Broken {
    inner: Arc<dyn History>,
    fault: Fault,
    batches: AtomicU32,
    building: AtomicU32,
    first: Mutex<Option<Version>>,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn fails(&self) -> Result<(), StoreError> {
        match self.is(FailsWhileItRebuilds) && self.building.load(Ordering::SeqCst) == 1 {
            true => Err(StoreError::Unavailable("rebuilding".into())),
            false => Ok(()),
        }
    }
}

/// The same right over everything.
fn wide(grant: &Grant) -> Grant {
    let membership = Membership {
        kind: Kind::Group,
        history: Visibility::All,
        member_count: 1,
        head_rev: grant.head_rev(),
        head_seq: grant.head_seq(),
        role: Some(grant.role()),
        intervals: Vec::new(),
    };
    let (actor, conversation) = (grant.actor(), grant.conversation());
    authorize(actor, conversation, Some(&membership), Action::Read).unwrap()
}

fn as_numbers(metadata: &Metadata) -> Metadata {
    let value: serde_json::Value = serde_json::from_str(metadata.as_str()).unwrap();
    Metadata::new(&value.to_string()).unwrap()
}

#[async_trait]
impl HistoryWriter for Broken {
    async fn live(&self) -> Result<Version, StoreError> {
        self.inner.live().await
    }

    async fn checkpoint(
        &self,
        version: Version,
        partition: u32,
    ) -> Result<Option<Checkpoint>, StoreError> {
        self.inner.checkpoint(version, partition).await
    }

    async fn apply(
        &self,
        version: Version,
        partition: u32,
        mut expected: Option<Src>,
        mut rows: ConversationRows,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        let batch = self.batches.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            IgnoresExpected => {
                let now = self.inner.checkpoint(version, partition).await?;
                expected = now.map(|checkpoint| checkpoint.src);
                // What is there already would not be taken twice.
                if now.is_some_and(|now| now.src >= next.src) {
                    rows = ConversationRows::default();
                }
            }
            DropsARow if batch % 5 == 4 => drop(rows.receipts.pop_last()),
            MovesTheCheckpointFirst if batch == 4 => {
                let nothing = ConversationRows::default();
                self.inner.apply(version, partition, expected, nothing, next).await?;
                return Err(StoreError::Unavailable("failed before the rows".into()));
            }
            _ => {}
        }
        self.inner.apply(version, partition, expected, rows, next).await
    }

    async fn create(&self) -> Result<Version, StoreError> {
        self.building.store(1, Ordering::SeqCst);
        if self.is(KeepsWhatNeverWentLive) {
            let mut first = self.first.lock().unwrap().take();
            if let Some(first) = first.take() {
                return Ok(Version(first.0 + 1));
            }
        }
        let version = self.inner.create().await?;
        *self.first.lock().unwrap() = Some(version);
        Ok(version)
    }

    async fn digest(&self, version: Version) -> Result<(Position, Digest), StoreError> {
        let (position, digest) = self.inner.digest(version).await?;
        Ok((position, if self.is(DigestsNothing) { Digest([0; 32]) } else { digest }))
    }

    async fn promote(&self, version: Version) -> Result<(), StoreError> {
        self.building.store(0, Ordering::SeqCst);
        if self.is(PromotesNothing) {
            return self.inner.checkpoint(version, 0).await.map(drop);
        }
        self.inner.promote(version).await
    }

    async fn discard(&self, version: Version) -> Result<(), StoreError> {
        self.inner.discard(version).await
    }
}

#[async_trait]
impl HistoryStore for Broken {
    async fn position(&self) -> Result<Position, StoreError> {
        self.inner.position().await
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        match self.fault {
            NeverWaits => Ok(()),
            WaitsForWhatCannotBe if target.offsets.contains_key(&3) => {
                tokio::time::sleep(within).await;
                Err(StoreError::Behind)
            }
            SleepsThroughABatch => {
                if self.inner.position().await?.covers(target) {
                    return Ok(());
                }
                tokio::time::sleep(within).await;
                Err(StoreError::Behind)
            }
            _ => self.inner.reach(target, within).await,
        }
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<MembershipAt, StoreError> {
        self.fails()?;
        let mut found = self.inner.membership(conversation, user).await?;
        if self.is(KeepsRemovedMembers)
            && let Some(membership) = &mut found.membership
        {
            membership.role = membership.role.or(Some(verbatim_schemas::Role::Member));
        }
        Ok(found)
    }

    async fn conversation(&self, grant: &Grant) -> Result<Conversation, StoreError> {
        self.inner.conversation(grant).await
    }

    async fn members(
        &self,
        grant: &Grant,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        self.inner.members(grant, after, limit).await
    }

    async fn messages(
        &self,
        grant: &Grant,
        page: MessagePage,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let page = match page {
            MessagePage::Before(Some(seq)) if self.is(RepeatsTheLastOfAPage) && seq.0 > 1 => {
                MessagePage::Before(Some(Seq(seq.0.saturating_add(1))))
            }
            page => page,
        };
        match self.is(ShowsMessagesOutsideTheRanges) {
            true => self.inner.messages(&wide(grant), page, limit, max_bytes).await,
            false => self.inner.messages(grant, page, limit.max(2), max_bytes).await.map(
                |mut messages| {
                    messages.truncate(
                        limit.max(if self.is(RepeatsTheLastOfAPage) { 2 } else { 1 }) as usize,
                    );
                    messages
                },
            ),
        }
    }

    async fn sent_message(
        &self,
        grant: &Grant,
        id: CommandId,
    ) -> Result<Option<Message>, StoreError> {
        if !self.is(FindsSentMessagesOfOthers) {
            return self.inner.sent_message(grant, id).await;
        }
        let all =
            self.inner.messages(grant, MessagePage::After(Seq(0)), 10_000, usize::MAX).await?;
        Ok(all.into_iter().find(|message| message.id == id))
    }

    async fn entries(
        &self,
        grant: &Grant,
        after: Rev,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let max = if self.is(IgnoresTheBytes) { usize::MAX } else { max_bytes };
        let mut entries = match self.is(ShowsEntriesOutsideTheRanges) {
            true => self.inner.entries(&wide(grant), after, limit, max).await?,
            false => self.inner.entries(grant, after, limit, max).await?,
        };
        for entry in &mut entries {
            if self.is(ReadsNumbersInMetadata)
                && let EntryBody::Message { message } = &mut entry.body
            {
                message.metadata = message.metadata.as_ref().map(as_numbers);
            }
        }
        let first = entries.first().map(|entry| serde_json::to_vec(entry).unwrap().len());
        if self.is(GivesNothingWhereOneDoesNotFit) && first > Some(max) {
            entries.clear();
        }
        Ok(entries)
    }

    async fn receipts(
        &self,
        grant: &Grant,
        public_up_to: u32,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Receipt>, StoreError> {
        if self.is(ShowsReceiptsToAll) {
            return self.inner.receipts(&wide(grant), public_up_to, after, limit).await;
        }
        let rules = self.is(ShowsReceiptsUpToTheRulesBound);
        let public_up_to = if rules { bounds::RECEIPTS_PUBLIC_MEMBERS } else { public_up_to };
        self.inner.receipts(grant, public_up_to, after, limit).await
    }

    async fn inbox(
        &self,
        user: &UserId,
        mut after: Option<InboxCursor>,
        limit: u32,
        max_bytes: usize,
    ) -> Result<InboxPage, StoreError> {
        if self.is(IgnoresTheInboxCursor) && limit > 2 {
            after = None;
        }
        let InboxPage { mut items, more, position } =
            self.inner.inbox(user, after, limit, max_bytes).await?;
        if self.is(IgnoresTheInboxCursor) && limit > 2 {
            // As many as there are, so that no page follows; but in another order.
            items.reverse();
        }
        if self.is(ShowsTheHeadInTheInbox) {
            for item in &mut items {
                let id = item.conversation.id;
                let known = self.inner.membership(id, user).await?.membership;
                let grant = authorize(user, id, known.as_ref(), Action::Read).unwrap();
                let newest = MessagePage::Before(None);
                item.last_message =
                    self.inner.messages(&wide(&grant), newest, 1, usize::MAX).await?.pop();
            }
        }
        Ok(InboxPage { items, more, position })
    }

    async fn sharing(
        &self,
        viewer: &UserId,
        users: &[UserId],
    ) -> Result<BTreeSet<UserId>, StoreError> {
        match self.is(SharesWithEverybody) {
            true => Ok(users.iter().cloned().collect()),
            false => self.inner.sharing(viewer, users).await,
        }
    }

    async fn inbox_rows(
        &self,
        partition: u32,
    ) -> Result<Option<(Checkpoint, InboxRows)>, StoreError> {
        let found = self.inner.inbox_rows(partition).await?;
        let without = self.is(WarmsWithoutReceipts);
        Ok(found.map(|(checkpoint, parts)| {
            let parts = parts.map_ok(move |mut part| {
                if without {
                    part.receipts.clear();
                }
                part
            });
            (checkpoint, parts.boxed())
        }))
    }
}

/// By which promise a history with a fault is refused.
async fn refused(fault: Fault, patience: Duration) -> &'static str {
    let folders: Mutex<Vec<(usize, TempDir)>> = Mutex::default();
    let broken = |inner| -> Arc<dyn History> {
        Arc::new(Broken {
            inner,
            fault,
            batches: AtomicU32::new(0),
            building: AtomicU32::new(0),
            first: Mutex::default(),
        })
    };
    let place = |history: &Arc<dyn History>| Arc::as_ptr(history).cast::<()>().addr();
    let empty = async || {
        let folder = TempDir::new().unwrap();
        let history = broken(Arc::new(open(folder.path())));
        folders.lock().unwrap().push((place(&history), folder));
        history
    };
    let again = async |history: Arc<dyn History>| {
        let mut folders = folders.lock().unwrap();
        let (at, folder) = folders.iter_mut().rfind(|(at, _)| *at == place(&history)).unwrap();
        drop(history);
        if fault == ForgetsOnRestart {
            *folder = TempDir::new().unwrap();
        }
        let history = broken(Arc::new(open(folder.path())));
        *at = place(&history);
        history
    };
    let refused = history_contract(empty, again, patience).await;
    let breach = refused.expect_err("the suite passed");
    breach.promise
}

macro_rules! refuses {
    ($($name:ident: $fault:ident, $promise:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            assert_eq!(refused($fault, crate::support::PATIENCE).await, $promise);
        }
    )*};
}

refuses! {
    that_ignores_the_expected_checkpoint: IgnoresExpected, "a checkpoint elsewhere refuses";
    that_drops_a_row: DropsARow, "any split of the rulings gives the same";
    that_moves_the_checkpoint_before_the_rows: MovesTheCheckpointFirst,
        "any split of the rulings gives the same";
    that_shows_messages_outside_the_ranges: ShowsMessagesOutsideTheRanges,
        "nobody reads what they may not";
    that_shows_entries_outside_the_ranges: ShowsEntriesOutsideTheRanges,
        "nobody reads what they may not";
    that_finds_sent_messages_of_others: FindsSentMessagesOfOthers, "sent messages";
    that_shows_the_head_in_the_inbox: ShowsTheHeadInTheInbox, "nobody reads what they may not";
    that_keeps_removed_members: KeepsRemovedMembers, "rows and checkpoint move together";
    that_repeats_the_last_of_a_page: RepeatsTheLastOfAPage, "pages of messages";
    that_ignores_the_bytes: IgnoresTheBytes, "entries";
    that_gives_nothing_where_one_does_not_fit: GivesNothingWhereOneDoesNotFit, "entries";
    that_reads_numbers_in_metadata: ReadsNumbersInMetadata, "entries";
    that_shows_receipts_to_all: ShowsReceiptsToAll, "receipts of large conversations";
    that_shows_receipts_up_to_the_rules_bound: ShowsReceiptsUpToTheRulesBound, "receipts of large conversations";
    that_shares_with_everybody: SharesWithEverybody, "who shares a conversation";
    that_ignores_the_inbox_cursor: IgnoresTheInboxCursor, "the inbox";
    that_never_waits: NeverWaits, "rows and checkpoint move together";
    that_digests_nothing: DigestsNothing, "digests tell histories apart";
    that_promotes_nothing: PromotesNothing, "rebuilt while it is read";
    that_keeps_what_never_went_live: KeepsWhatNeverWentLive, "versions that never went live";
    that_fails_while_it_rebuilds: FailsWhileItRebuilds, "rebuilt while it is read";
    that_forgets_on_restart: ForgetsOnRestart, "nobody reads what they may not";
    that_warms_without_receipts: WarmsWithoutReceipts, "the inbox can be warmed";
}

/// These make the suite wait as long as it has patience.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_sleep_or_wait_in_vain() {
    let short = Duration::from_secs(3);
    // The first is broken where the reader is the faster one.
    let either = ["rows and checkpoint move together", "who waits is woken"];
    assert!(either.contains(&refused(SleepsThroughABatch, short).await));
    assert_eq!(refused(WaitsForWhatCannotBe, short).await, "positions");
}
