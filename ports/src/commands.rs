//! How the gateway reaches the command handler.

use std::time::Duration;

use futures_util::future::BoxFuture;
use verbatim_domain::Position;
use verbatim_schemas::{
    CommandId, ConversationId, Entry, EventBody, Problem, Rev, Seq, Timestamp, rest::Receipt,
    ruling::Standing,
};

use crate::auth::Actor;

/// One change that an authenticated user asks for.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who asks.
    pub actor: Actor,
    /// The command's id; a repeat carries the same.
    pub id: CommandId,
    /// Which conversation.
    pub conversation: ConversationId,
    /// What is asked for.
    pub body: EventBody,
}

/// What became of a command that was not refused.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Durable and ruled.
    Ruled(Box<Ruled>),
    /// Durable; the ruling was not seen within the wait.
    Pending(Position),
}

/// An accepted command, or the repeat of one.
#[derive(Debug, Clone)]
pub struct Ruled {
    /// Where its event stands.
    pub position: Position,
    /// The log's time; of a repeat the first's.
    pub at: Timestamp,
    /// The entry it made, if any; of a repeat the first's.
    pub rev: Option<Rev>,
    /// The message it made, if any; of a repeat the first's.
    pub seq: Option<Seq>,
    /// Whether it repeats an earlier command.
    pub duplicate: bool,
    /// The entry; none for a repeat, a receipt, or where nothing changed.
    pub entry: Option<Entry>,
    /// How many members the conversation has; none for a repeat.
    pub member_count: Option<u32>,
    /// What stands already, where nothing changed.
    pub standing: Option<Standing>,
    /// The watermarks that moved.
    pub receipt: Option<Receipt>,
}

/// The future of a submitted command.
pub type Submitted = BoxFuture<'static, Result<Outcome, Problem>>;

/// The command handler.
pub trait Commands: Send + Sync {
    /// Checks rates, appends the event and waits for its ruling for up to `wait`.
    ///
    /// The place in the order is taken by the call: of two commands of one user for one conversation
    /// the one submitted first is first on the log, if both are acknowledged. (A user whose membership
    /// has to be looked up first holds up nobody else.) Dropping the future does not take the command
    /// back. Called within a tokio runtime.
    fn submit(&self, command: Command, wait: Duration) -> Submitted;
}
