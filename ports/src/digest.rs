//! A digest over history's rows that every back end computes the same way, so that a rebuilt version
//! can be compared with the live one, and one back end with another.
//!
//! BLAKE3 over these rows, table by table, each in the order of its key (ids as bytes):
//!
//! | call | one for each | in the order of |
//! |---|---|---|
//! | [`HistoryDigest::conversation`] | conversation | conversation |
//! | [`HistoryDigest::message`] | message | conversation, seq |
//! | [`HistoryDigest::entry`], [`HistoryDigest::message_entry`] | entry | conversation, rev |
//! | [`HistoryDigest::interval`] | time of membership | conversation, user, first rev |
//! | [`HistoryDigest::member`] | present member | conversation, user |
//!
//! A row begins with a byte that names its table. Numbers are 8 bytes, the lowest first; texts have
//! their length before them; what may be absent has a byte 0 or 1 before it. So no two sets of rows
//! are the same bytes.

use blake3::Hasher;
use verbatim_domain::access::Interval;
use verbatim_schemas::{
    ConversationId, Digest, Entry, Rev, Role, Seq, Src, Timestamp, UserId,
    entry::{Founding, Message},
};

use crate::rows::{HeadRow, ReceiptRow};

/// A digest in the making.
#[derive(Debug, Clone, Default)]
pub struct HistoryDigest(Hasher);

impl HistoryDigest {
    /// Over nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a conversation is and where it stands.
    pub fn conversation(&mut self, founding: &Founding, head: &HeadRow) {
        self.row(b'C');
        self.id(founding.id);
        self.text(founding.kind.as_str());
        self.option(founding.name.as_ref().map(|name| name.as_str()), Self::text);
        self.text(founding.history.as_str());
        self.text(founding.posting.as_str());
        self.number(founding.member_count.into());
        self.number(founding.created_at.as_millis());
        self.number(head.member_count.into());
        self.number(head.head_rev.0);
        self.number(head.head_seq.0);
        self.number(head.active_at.as_millis());
        self.src(head.src);
    }

    /// A message as it stands.
    pub fn message(&mut self, message: &Message) {
        self.row(b'M');
        self.id(message.conversation_id);
        self.number(message.seq.0);
        self.number(message.rev.0);
        self.0.update(message.id.uuid().as_bytes());
        self.text(message.sender.as_str());
        self.text(message.text.as_str());
        self.option(message.metadata.as_ref().map(|metadata| metadata.as_str()), Self::text);
        self.number(message.created_at.as_millis());
    }

    /// An entry that is no message: its JSON.
    ///
    /// # Errors
    /// When the entry can't be written as JSON, which no entry of ours is.
    pub fn entry(&mut self, entry: &Entry) -> serde_json::Result<()> {
        self.row(b'E');
        self.id(entry.conversation_id);
        self.number(entry.rev.0);
        self.text(&serde_json::to_string(entry)?);
        Ok(())
    }

    /// An entry that is a message: which one.
    pub fn message_entry(&mut self, conversation: ConversationId, rev: Rev, seq: Seq) {
        self.row(b'R');
        self.id(conversation);
        self.number(rev.0);
        self.number(seq.0);
    }

    /// One time of membership: the record that began it, and the one that ended it.
    pub fn interval(
        &mut self,
        conversation: ConversationId,
        user: &UserId,
        since: Timestamp,
        interval: &Interval,
        began: Src,
        ended: Option<Src>,
    ) {
        self.row(b'I');
        self.id(conversation);
        self.text(user.as_str());
        self.number(since.as_millis());
        self.number(interval.from_rev.0);
        self.number(interval.from_seq.0);
        self.src(began);
        self.option(interval.until, |digest, (rev, seq)| {
            digest.number(rev.0);
            digest.number(seq.0);
        });
        self.option(ended, Self::src);
    }

    /// A present member and their watermarks.
    pub fn member(
        &mut self,
        conversation: ConversationId,
        user: &UserId,
        role: Role,
        since: Timestamp,
        receipt: &ReceiptRow,
    ) {
        self.row(b'U');
        self.id(conversation);
        self.text(user.as_str());
        self.text(role.as_str());
        self.number(since.as_millis());
        self.number(receipt.delivered.0);
        self.number(receipt.read.0);
        self.option(receipt.at.map(Timestamp::as_millis), Self::number);
        self.src(receipt.src);
    }

    /// The digest over all rows given.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }

    fn row(&mut self, table: u8) {
        self.0.update(&[table]);
    }

    fn id(&mut self, id: ConversationId) {
        self.0.update(id.uuid().as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn src(&mut self, src: Src) {
        self.number(src.generation.into());
        self.number(src.partition.into());
        self.number(src.offset);
    }

    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.row(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
}
