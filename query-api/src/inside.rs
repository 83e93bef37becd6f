//! The way into a conversation.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use verbatim_domain::{Grant, Position, access::Action, authorize};
use verbatim_http::{After, Caller, ConversationPath, Refusal, Wait};
use verbatim_ports::history::HistoryStore;

use crate::state::State;

/// Who wants to read which conversation, including what. Nothing was looked up yet.
pub(crate) struct Inside {
    caller: Caller,
    conversation: ConversationPath,
    included: Included,
}

/// What an answer has to include, and how long to wait for it.
pub(crate) struct Included {
    after: After,
    wait: Wait,
}

impl Inside {
    /// Waits for what the client has seen, then lets members in. The grant and the position are of
    /// one moment.
    pub(crate) async fn enter(self, state: &State) -> Result<(Grant, Position), Refusal> {
        let history = &*state.deps.history;
        let (Caller(actor), ConversationPath(conversation)) = (self.caller, self.conversation);
        self.included.in_history(history).await?;
        let found = history.membership(conversation, &actor.user).await?;
        let membership = found.membership.as_ref();
        let grant = authorize(&actor.user, conversation, membership, Action::Read)?;
        Ok((grant, found.position))
    }
}

impl Included {
    /// Waits until history includes it.
    pub(crate) async fn in_history(self, history: &dyn HistoryStore) -> Result<(), Refusal> {
        if let (After(Some(target)), Wait(within)) = (self.after, self.wait) {
            history.reach(&target, within).await?;
        }
        Ok(())
    }

    /// Waits until the inbox includes it.
    pub(crate) async fn in_inbox(
        self,
        inbox: &dyn verbatim_ports::inbox::InboxCache,
    ) -> Result<(), Refusal> {
        if let (After(Some(target)), Wait(within)) = (self.after, self.wait) {
            inbox.reach(&target, within).await?;
        }
        Ok(())
    }
}

impl FromRequestParts<State> for Inside {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Refusal> {
        Ok(Self {
            caller: Caller::from_request_parts(parts, state).await?,
            conversation: ConversationPath::from_request_parts(parts, state).await?,
            included: Included::from_request_parts(parts, state).await?,
        })
    }
}

impl FromRequestParts<State> for Included {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Refusal> {
        Ok(Self {
            after: After::from_request_parts(parts, state).await?,
            wait: Wait::from_request_parts(parts, state).await?,
        })
    }
}
