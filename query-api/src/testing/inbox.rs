//! Unread totals, perhaps behind history.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use verbatim_domain::Position;
use verbatim_ports::{
    StoreError,
    inbox::{InboxCache, InboxRows, UserInbox},
    rows::ConversationRows,
};
use verbatim_schemas::{ConversationId, Src, UserId, rest::Unread};

use super::included;

pub(super) struct Inbox {
    pub(super) lagging: bool,
    pub(super) waited: Arc<Mutex<u128>>,
}

impl Inbox {
    fn position(&self) -> Position {
        if self.lagging { Position::default() } else { included() }
    }
}

#[async_trait]
impl InboxCache for Inbox {
    async fn checkpoint(&self, _: u32) -> Result<Option<Src>, StoreError> {
        Ok(None)
    }
    async fn apply(&self, _: u32, _: ConversationRows, _: Src) -> Result<(), StoreError> {
        Ok(())
    }
    async fn warm(&self, _: u32, _: InboxRows, _: Src) -> Result<(), StoreError> {
        Ok(())
    }
    async fn clear(&self, _: u32) -> Result<(), StoreError> {
        Ok(())
    }
    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        super::history::reach(&self.position(), target, within, &self.waited)
    }
    async fn user(&self, _: &UserId, _: Option<&Position>) -> Result<UserInbox, StoreError> {
        Ok(UserInbox::default())
    }
    async fn unread(&self, user: &UserId) -> Result<(Unread, Position), StoreError> {
        let unread = match user.as_str() {
            "bob" => Unread { conversations: 1, messages: 3 },
            _ => Unread { conversations: 0, messages: 0 },
        };
        Ok((unread, self.position()))
    }
    async fn seems_member(&self, _: ConversationId, _: &UserId) -> Result<bool, StoreError> {
        Ok(false)
    }
}
