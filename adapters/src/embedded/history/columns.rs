//! How values stand in columns.

use rusqlite::Row;
use uuid::Uuid;
use verbatim_ports::{StoreError, rows::HeadRow, rows::ReceiptRow};
use verbatim_schemas::{
    CommandId, ConversationId, Kind, Metadata, Name, Posting, Rev, Role, Seq, Src, Text, Timestamp,
    UserId, Visibility,
    entry::{Founding, Message},
};

use crate::embedded::sqlite::Outcome;

/// A number below 2^63, as all of ours are.
pub(super) fn int(number: u64) -> i64 {
    number.cast_signed()
}

/// A conversation's id.
pub(super) fn id(conversation: ConversationId) -> [u8; 16] {
    *conversation.uuid().as_bytes()
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("history holds no valid {what}"))
}

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn new(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    fn index(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn number(&mut self) -> Outcome<u64> {
        let index = self.index();
        let number: i64 = self.row.get(index)?;
        Ok(u64::try_from(number).map_err(|_| corrupt("number"))?)
    }

    pub(super) fn small(&mut self) -> Outcome<u32> {
        let number = self.number()?;
        Ok(u32::try_from(number).map_err(|_| corrupt("number"))?)
    }

    pub(super) fn number_or_none(&mut self) -> Outcome<Option<u64>> {
        let index = self.index();
        match self.row.get_ref(index)? {
            rusqlite::types::ValueRef::Null => Ok(None),
            _ => {
                self.next = index;
                self.number().map(Some)
            }
        }
    }

    pub(super) fn rev(&mut self) -> Outcome<Rev> {
        self.number().map(Rev)
    }

    pub(super) fn seq(&mut self) -> Outcome<Seq> {
        self.number().map(Seq)
    }

    pub(super) fn time(&mut self) -> Outcome<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let index = self.index();
        Ok(self.row.get(index)?)
    }

    pub(super) fn text(&mut self) -> Outcome<&'a str> {
        let index = self.index();
        let text = self.row.get_ref(index)?.as_str().map_err(|_| corrupt("text"))?;
        Ok(text)
    }

    pub(super) fn text_or_none(&mut self) -> Outcome<Option<&'a str>> {
        let index = self.index();
        let text = self.row.get_ref(index)?.as_str_or_null().map_err(|_| corrupt("text"))?;
        Ok(text)
    }

    pub(super) fn user(&mut self) -> Outcome<UserId> {
        Ok(self.text()?.parse().map_err(|_| corrupt("user"))?)
    }

    pub(super) fn conversation(&mut self) -> Outcome<ConversationId> {
        let id = Uuid::from_bytes(self.bytes()?);
        Ok(ConversationId::new(id).map_err(|_| corrupt("conversation"))?)
    }

    pub(super) fn role(&mut self) -> Outcome<Role> {
        Ok(Role::parse(self.text()?).ok_or_else(|| corrupt("role"))?)
    }

    pub(super) fn kind(&mut self) -> Outcome<Kind> {
        Ok(Kind::parse(self.text()?).ok_or_else(|| corrupt("kind"))?)
    }

    pub(super) fn history(&mut self) -> Outcome<Visibility> {
        Ok(Visibility::parse(self.text()?).ok_or_else(|| corrupt("visibility"))?)
    }

    fn posting(&mut self) -> Outcome<Posting> {
        Ok(Posting::parse(self.text()?).ok_or_else(|| corrupt("posting"))?)
    }

    pub(super) fn name(&mut self) -> Outcome<Option<Name>> {
        let name = self.text_or_none()?.map(Name::new).transpose();
        Ok(name.map_err(|_| corrupt("name"))?)
    }

    /// Generation and offset.
    pub(super) fn src(&mut self, partition: u32) -> Outcome<Src> {
        Ok(Src { generation: self.small()?, partition, offset: self.number()? })
    }

    /// [`FOUNDING`].
    pub(super) fn founding(&mut self) -> Outcome<Founding> {
        Ok(Founding {
            id: self.conversation()?,
            kind: self.kind()?,
            name: self.name()?,
            history: self.history()?,
            posting: self.posting()?,
            member_count: self.small()?,
            created_at: self.time()?,
        })
    }

    /// [`HEAD`].
    pub(super) fn head(&mut self, partition: u32) -> Outcome<HeadRow> {
        Ok(HeadRow {
            member_count: self.small()?,
            head_rev: self.rev()?,
            head_seq: self.seq()?,
            active_at: self.time()?,
            src: self.src(partition)?,
        })
    }

    /// [`RECEIPT`].
    pub(super) fn receipt(&mut self, partition: u32) -> Outcome<ReceiptRow> {
        Ok(ReceiptRow {
            delivered: self.seq()?,
            read: self.seq()?,
            at: self.number_or_none()?.map(Timestamp::from_millis),
            src: self.src(partition)?,
        })
    }

    /// [`MESSAGE`].
    pub(super) fn message(&mut self) -> Outcome<Message> {
        Ok(Message {
            conversation_id: self.conversation()?,
            seq: self.seq()?,
            rev: self.rev()?,
            id: CommandId::new(Uuid::from_bytes(self.bytes()?))
                .map_err(|_| corrupt("message id"))?,
            sender: self.user()?,
            text: Text::new(self.text()?).map_err(|_| corrupt("message"))?,
            metadata: {
                let metadata = self.text_or_none()?.map(Metadata::new).transpose();
                metadata.map_err(|_| corrupt("metadata"))?
            },
            created_at: self.time()?,
        })
    }
}

/// The columns of a [`Founding`], of the table `c`.
pub(super) const FOUNDING: &str =
    "c.id, c.kind, c.name, c.history, c.posting, c.founding_count, c.created_at";
/// The columns of a [`HeadRow`], of the table `c`.
pub(super) const HEAD: &str =
    "c.member_count, c.head_rev, c.head_seq, c.active_at, c.generation, c.record";
/// The columns of a [`ReceiptRow`], of the table `u`.
pub(super) const RECEIPT: &str = "u.delivered, u.read, u.receipt_at, u.generation, u.record";
/// The columns of a [`Message`], of the table `m`.
pub(super) const MESSAGE: &str =
    "m.conversation, m.seq, m.rev, m.id, m.sender, m.text, m.metadata, m.created_at";
