//! A hint who is a member, that can be held back and can be wrong.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;
use verbatim_domain::Position;
use verbatim_ports::{
    StoreError,
    inbox::{InboxCache, InboxRows, UserInbox},
    rows::ConversationRows,
};
use verbatim_schemas::{ConversationId, Src, UserId, rest::Unread};

/// The hints.
pub struct FakeInbox {
    members: Mutex<BTreeSet<(ConversationId, UserId)>>,
    held: watch::Sender<bool>,
    away: AtomicBool,
    asked: AtomicUsize,
}

impl Default for FakeInbox {
    fn default() -> Self {
        Self {
            members: Mutex::default(),
            held: watch::Sender::new(false),
            away: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        }
    }
}

impl FakeInbox {
    /// From now on the user seems to be a member.
    pub fn hint(&self, conversation: ConversationId, user: UserId) {
        self.members.lock().unwrap().insert((conversation, user));
    }

    /// Holds answers back, or lets them come.
    pub fn hold(&self, hold: bool) {
        self.held.send_replace(hold);
    }

    /// From now on it cannot be reached.
    pub fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn not_here<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("not part of this world".into()))
}

#[async_trait]
impl InboxCache for FakeInbox {
    async fn seems_member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        if self.away.load(Ordering::SeqCst) {
            return not_here();
        }
        Ok(self.members.lock().unwrap().contains(&(conversation, user.clone())))
    }

    async fn checkpoint(&self, _: u32) -> Result<Option<Src>, StoreError> {
        not_here()
    }
    async fn apply(&self, _: u32, _: ConversationRows, _: Src) -> Result<(), StoreError> {
        not_here()
    }
    async fn warm(&self, _: u32, _: InboxRows, _: Src) -> Result<(), StoreError> {
        not_here()
    }
    async fn clear(&self, _: u32) -> Result<(), StoreError> {
        not_here()
    }
    async fn reach(&self, _: &Position, _: Duration) -> Result<(), StoreError> {
        not_here()
    }
    async fn user(&self, _: &UserId, _: Option<&Position>) -> Result<UserInbox, StoreError> {
        not_here()
    }
    async fn unread(&self, _: &UserId) -> Result<(Unread, Position), StoreError> {
        not_here()
    }
}
