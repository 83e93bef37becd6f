//! Promises that a store breaks, each so that the test of one guarantee must fail.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use verbatim_domain::Position;
use verbatim_ports::{
    StoreError,
    auth::{Actor, Tickets},
    inbox::{InboxCache, InboxRows, UserInbox},
    rows::ConversationRows,
};
use verbatim_schemas::{ConversationId, Src, UserId, rest::Unread};

/// What is broken, by the word that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// G2: history gives messages in another order.
    ReordersMessages,
    /// G3: the timeline's state forgets the ids of commands.
    ForgetsIds,
    /// G4: history gives entries that differ from what was pushed.
    AltersEntries,
    /// G5: history says at once that a position is included.
    HistoryNeverWaits,
    /// G5: the inbox says at once that a position is included.
    InboxNeverWaits,
    /// G6: the inbox does not name what was left.
    ForgetsLeft,
    /// G7: whoever is a member now is shown everything.
    OpensIntervals,
    /// G7: whoever left is still a member.
    KeepsMembers,
    /// G7: a ticket counts more than once.
    RedeemsTwice,
    /// G8: a rebuild leaves rows out.
    RebuildsLess,
    /// G9: entries are not bounded in bytes.
    IgnoresBytes,
}

impl Broken {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "reorders-messages" => Self::ReordersMessages,
            "forgets-ids" => Self::ForgetsIds,
            "alters-entries" => Self::AltersEntries,
            "history-never-waits" => Self::HistoryNeverWaits,
            "inbox-never-waits" => Self::InboxNeverWaits,
            "forgets-left" => Self::ForgetsLeft,
            "opens-intervals" => Self::OpensIntervals,
            "keeps-members" => Self::KeepsMembers,
            "redeems-twice" => Self::RedeemsTwice,
            "rebuilds-less" => Self::RebuildsLess,
            "ignores-bytes" => Self::IgnoresBytes,
            _ => return None,
        })
    }
}

pub(super) struct BrokenInbox {
    pub inner: Arc<dyn InboxCache>,
    pub broken: Option<Broken>,
}

#[async_trait]
impl InboxCache for BrokenInbox {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Src>, StoreError> {
        self.inner.checkpoint(partition).await
    }

    async fn apply(
        &self,
        partition: u32,
        rows: ConversationRows,
        src: Src,
    ) -> Result<(), StoreError> {
        self.inner.apply(partition, rows, src).await
    }

    async fn warm(&self, partition: u32, rows: InboxRows, src: Src) -> Result<(), StoreError> {
        self.inner.warm(partition, rows, src).await
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        self.inner.clear(partition).await
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        match self.broken {
            Some(Broken::InboxNeverWaits) => Ok(()),
            _ => self.inner.reach(target, within).await,
        }
    }

    async fn user(&self, user: &UserId, since: Option<&Position>) -> Result<UserInbox, StoreError> {
        let mut found = self.inner.user(user, since).await?;
        if self.broken == Some(Broken::ForgetsLeft) {
            found.left.clear();
        }
        Ok(found)
    }

    async fn unread(&self, user: &UserId) -> Result<(Unread, Position), StoreError> {
        self.inner.unread(user).await
    }

    async fn seems_member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        self.inner.seems_member(conversation, user).await
    }
}

pub(super) struct BrokenTickets {
    inner: Arc<dyn Tickets>,
    broken: Option<Broken>,
    redeemed: Mutex<BTreeMap<String, Actor>>,
}

impl BrokenTickets {
    pub(super) fn new(inner: Arc<dyn Tickets>, broken: Option<Broken>) -> Self {
        Self { inner, broken, redeemed: Mutex::default() }
    }
}

#[async_trait]
impl Tickets for BrokenTickets {
    async fn issue(&self, actor: Actor) -> Result<String, StoreError> {
        self.inner.issue(actor).await
    }

    async fn redeem(&self, ticket: &str) -> Result<Option<Actor>, StoreError> {
        let found = self.inner.redeem(ticket).await?;
        if self.broken != Some(Broken::RedeemsTwice) {
            return Ok(found);
        }
        let mut redeemed = self.redeemed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(actor) = &found {
            redeemed.insert(ticket.to_owned(), actor.clone());
        }
        Ok(found.or_else(|| redeemed.get(ticket).cloned()))
    }
}
