//! History of three conversations, read through grants.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use verbatim_domain::{
    Grant, Position,
    access::{Interval, Membership, receipts_are_public},
};
use verbatim_ports::{
    StoreError,
    follow::Checkpoint,
    history::{HistoryStore, InboxCursor, InboxPage, MembershipAt, MessagePage},
    inbox::InboxRows,
};
use verbatim_schemas::{
    CommandId, ConversationId, Entry, EntryBody, Kind, Metadata, Name, Posting, Rev, Role, Seq,
    Text, Timestamp, UserId, Visibility,
    entry::{Founding, Message},
    rest::{Conversation, InboxItem, Member, Receipt},
};

use super::{CHANNEL, DIRECT, GROUP, included};

pub(super) struct History {
    pub(super) waited: Arc<Mutex<u128>>,
}

/// Answers a wait at once, and keeps how long it might have taken.
pub(super) fn reach(
    position: &Position,
    target: &Position,
    within: Duration,
    waited: &Mutex<u128>,
) -> Result<(), StoreError> {
    if position.covers(target) {
        return Ok(());
    }
    *waited.lock().unwrap() = within.as_millis();
    Err(StoreError::Behind)
}

fn group() -> ConversationId {
    GROUP.parse().unwrap()
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_millis(number * 1_000)
}

fn member(user: &str) -> Member {
    let (role, since) = match user {
        "ann" => (Role::Admin, 1),
        "bob" => (Role::Member, 1),
        _ => (Role::Member, 7),
    };
    Member { user_id: user.parse().unwrap(), role, since: time(since) }
}

fn message(rev: u64, seq: u64) -> Message {
    let metadata = r#"{ "n": 1.10, "big": 12345678901234567890123 }"#;
    Message {
        id: format!("0190a5a0-0000-7000-8000-0000000001{rev:02}").parse().unwrap(),
        conversation_id: group(),
        seq: Seq(seq),
        rev: Rev(rev),
        sender: "ann".parse().unwrap(),
        text: Text::new(&format!("message {seq}")).unwrap(),
        metadata: (seq == 5).then(|| Metadata::new(metadata).unwrap()),
        created_at: time(rev),
    }
}

/// 1 created, 2 a message, 3 dan added, 4 and 5 messages, 6 dan removed, 7 cat added, 8 and 9
/// messages.
fn entries() -> Vec<Entry> {
    let body = |rev| match rev {
        1 => EntryBody::ConversationCreated {
            conversation: Box::new(Founding {
                id: group(),
                kind: Kind::Group,
                name: Some(Name::new("friends").unwrap()),
                history: Visibility::SinceJoin,
                posting: Posting::Members,
                member_count: 2,
                created_at: time(1),
            }),
            members: vec![member("ann"), member("bob")],
        },
        3 => EntryBody::MemberAdded { member: member("dan") },
        6 => EntryBody::MemberRemoved { member: member("dan"), promoted: None },
        7 => EntryBody::MemberAdded { member: member("cat") },
        2 => EntryBody::Message { message: message(2, 1) },
        4 | 5 => EntryBody::Message { message: message(rev, rev - 2) },
        _ => EntryBody::Message { message: message(rev, rev - 4) },
    };
    let entry = |rev| Entry {
        conversation_id: group(),
        rev: Rev(rev),
        at: time(rev),
        actor: "ann".parse().unwrap(),
        body: body(rev),
    };
    (1..=9).map(entry).collect()
}

fn conversation(id: &str, kind: Kind) -> Conversation {
    let direct = kind == Kind::Direct;
    Conversation {
        id: id.parse().unwrap(),
        kind,
        name: (!direct).then(|| Name::new("friends").unwrap()),
        peer: direct.then(|| "bob".parse().unwrap()),
        history: Visibility::SinceJoin,
        posting: Posting::Members,
        role: Role::Admin,
        member_count: 3,
        head_seq: Seq(5),
        head_rev: Rev(9),
        created_at: time(1),
    }
}

fn interval(from_rev: u64, from_seq: u64, until: Option<(Rev, Seq)>) -> Interval {
    Interval { from_rev: Rev(from_rev), from_seq: Seq(from_seq), until }
}

#[async_trait]
impl HistoryStore for History {
    async fn position(&self) -> Result<Position, StoreError> {
        Ok(included())
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        reach(&included(), target, within, &self.waited)
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<MembershipAt, StoreError> {
        let (role, interval) = match user.as_str() {
            "ann" => (Some(Role::Admin), interval(1, 1, None)),
            "bob" => (Some(Role::Member), interval(1, 1, None)),
            "cat" => (Some(Role::Member), interval(7, 4, None)),
            _ => (None, interval(3, 2, Some((Rev(6), Seq(3))))),
        };
        let known = conversation == group() && user.as_str() != "eve";
        let membership = known.then(|| Membership {
            kind: Kind::Group,
            history: Visibility::SinceJoin,
            member_count: 3,
            head_rev: Rev(9),
            head_seq: Seq(5),
            role,
            intervals: vec![interval],
        });
        Ok(MembershipAt { membership, position: included().only(0) })
    }

    async fn conversation(&self, grant: &Grant) -> Result<Conversation, StoreError> {
        Ok(Conversation { role: grant.role(), ..conversation(GROUP, Kind::Group) })
    }

    async fn members(
        &self,
        _: &Grant,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        let members = ["ann", "bob", "cat"].map(member).into_iter();
        let rest = members.filter(|member| after.is_none_or(|after| member.user_id > *after));
        Ok(rest.take(limit as usize).collect())
    }

    async fn messages(
        &self,
        grant: &Grant,
        page: MessagePage,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let messages = entries().into_iter().filter_map(|entry| match entry.body {
            EntryBody::Message { message } => Some(message),
            _ => None,
        });
        let mut visible: Vec<Message> = messages
            .filter(|message| grant.sees_seq(message.seq))
            .filter(|message| match page {
                MessagePage::Before(before) => before.is_none_or(|before| message.seq < before),
                MessagePage::After(after) => message.seq > after,
            })
            .collect();
        if matches!(page, MessagePage::Before(_)) {
            visible.reverse();
        }
        visible.truncate(limit as usize);
        Ok(fitting(visible, max_bytes))
    }

    async fn sent_message(&self, _: &Grant, _: CommandId) -> Result<Option<Message>, StoreError> {
        Ok(None)
    }

    async fn entries(
        &self,
        grant: &Grant,
        after: Rev,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let visible =
            entries().into_iter().filter(|entry| entry.rev > after && grant.sees_rev(entry.rev));
        let mut bytes = 0;
        let fitting = visible.take_while(|entry| {
            let first = bytes == 0;
            bytes += serde_json::to_vec(entry).unwrap().len();
            first || bytes <= max_bytes
        });
        Ok(fitting.take(limit as usize).collect())
    }

    async fn receipts(
        &self,
        grant: &Grant,
        public_up_to: u32,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Receipt>, StoreError> {
        let receipts = [("ann", 5, Some(9)), ("bob", 2, Some(5)), ("cat", 0, None)].into_iter();
        let receipts = receipts.map(|(user, read, at)| Receipt {
            user_id: user.parse().unwrap(),
            delivered: Seq(read),
            read: Seq(read),
            at: at.map(time),
        });
        let public = receipts_are_public(grant.member_count(), public_up_to);
        let shown = receipts.filter(|receipt| public || receipt.user_id == *grant.actor());
        let rest = shown.filter(|receipt| after.is_none_or(|after| receipt.user_id > *after));
        Ok(rest.take(limit as usize).collect())
    }

    async fn inbox(
        &self,
        user: &UserId,
        after: Option<InboxCursor>,
        limit: u32,
        max_bytes: usize,
    ) -> Result<InboxPage, StoreError> {
        let lines =
            [(GROUP, Kind::Group, 9), (DIRECT, Kind::Direct, 4), (CHANNEL, Kind::Channel, 4)];
        let items = lines.into_iter().map(|(id, kind, active)| InboxItem {
            conversation: conversation(id, kind),
            last_message: (id == GROUP).then(|| message(9, 5)),
            unread: 0,
            read: Seq(5),
            delivered: Seq(5),
            active_at: time(active),
        });
        let below = |item: &InboxItem| {
            after.is_none_or(|after| {
                (item.active_at, item.conversation.id) < (after.active_at, after.conversation)
            })
        };
        let most = if user.as_str() == "eve" { 0 } else { usize::MAX };
        let all: Vec<_> = items.filter(below).take(most).collect();
        let page = fitting(all.iter().take(limit as usize).cloned().collect(), max_bytes);
        Ok(InboxPage { more: page.len() < all.len(), items: page, position: included() })
    }

    async fn sharing(
        &self,
        viewer: &UserId,
        users: &[UserId],
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let friends = ["ann", "bob", "cat"];
        let shares = |user: &&UserId| {
            *user == viewer
                || friends.contains(&viewer.as_str()) && friends.contains(&user.as_str())
        };
        Ok(users.iter().filter(shares).cloned().collect())
    }

    async fn inbox_rows(&self, _: u32) -> Result<Option<(Checkpoint, InboxRows)>, StoreError> {
        Ok(None)
    }
}

/// As many as fit, and the first however large it is.
fn fitting<T: serde::Serialize>(items: Vec<T>, max_bytes: usize) -> Vec<T> {
    let mut bytes = 0;
    let fits = |(index, item): &(usize, T)| {
        bytes += serde_json::to_vec(item).unwrap().len();
        *index == 0 || bytes <= max_bytes
    };
    items.into_iter().enumerate().take_while(fits).map(|(_, item)| item).collect()
}
