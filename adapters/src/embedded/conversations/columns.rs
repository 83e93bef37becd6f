//! How values stand in columns.

use rusqlite::{Row, types::ValueRef};
use uuid::Uuid;
use verbatim_ports::StoreError;
use verbatim_schemas::{CommandId, ConversationId, Src, Timestamp, UserId};

use crate::embedded::sqlite::{Failure, Outcome};

/// A conversation's id.
pub(super) fn conversation(id: ConversationId) -> [u8; 16] {
    *id.uuid().as_bytes()
}

/// A command's id; in the order of their bytes.
pub(super) fn command(id: CommandId) -> [u8; 16] {
    *id.uuid().as_bytes()
}

pub(super) fn corrupt(what: &str) -> Failure {
    StoreError::Corrupt(format!(
        "conversations hold no valid {what}; delete the file to fold it again"
    ))
    .into()
}

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn of(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    fn value(&mut self) -> Outcome<ValueRef<'a>> {
        self.next += 1;
        Ok(self.row.get_ref(self.next - 1)?)
    }

    pub(super) fn number(&mut self) -> Outcome<u64> {
        self.number_or_none()?.ok_or_else(|| corrupt("number"))
    }

    pub(super) fn number_or_none(&mut self) -> Outcome<Option<u64>> {
        let number = self.value()?.as_i64_or_null().map_err(|_| corrupt("number"))?;
        number.map(u64::try_from).transpose().map_err(|_| corrupt("number"))
    }

    pub(super) fn small(&mut self) -> Outcome<u32> {
        u32::try_from(self.number()?).map_err(|_| corrupt("number"))
    }

    pub(super) fn time(&mut self) -> Outcome<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    pub(super) fn text(&mut self) -> Outcome<&'a str> {
        self.text_or_none()?.ok_or_else(|| corrupt("text"))
    }

    pub(super) fn text_or_none(&mut self) -> Outcome<Option<&'a str>> {
        self.value()?.as_str_or_null().map_err(|_| corrupt("text"))
    }

    /// A word of a fixed set.
    pub(super) fn word<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Outcome<T> {
        parse(self.text()?).ok_or_else(|| corrupt("word"))
    }

    pub(super) fn user(&mut self) -> Outcome<UserId> {
        self.text()?.parse().map_err(|_| corrupt("user"))
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        self.bytes_or_none()?.ok_or_else(|| corrupt("bytes"))
    }

    fn bytes_or_none<const N: usize>(&mut self) -> Outcome<Option<[u8; N]>> {
        let bytes = self.value()?.as_blob_or_null().map_err(|_| corrupt("bytes"))?;
        bytes.map(TryInto::try_into).transpose().map_err(|_| corrupt("bytes"))
    }

    pub(super) fn command(&mut self) -> Outcome<CommandId> {
        self.command_or_none()?.ok_or_else(|| corrupt("command id"))
    }

    pub(super) fn command_or_none(&mut self) -> Outcome<Option<CommandId>> {
        let id = self.bytes_or_none()?.map(Uuid::from_bytes).map(CommandId::new);
        id.transpose().map_err(|_| corrupt("command id"))
    }

    /// Three columns.
    pub(super) fn src(&mut self) -> Outcome<Src> {
        Ok(Src { generation: self.small()?, partition: self.small()?, offset: self.number()? })
    }
}
