//! What history holds for an id that is too old to tell a repeat by.

use verbatim_domain::{Position, access::Action, authorize};
use verbatim_http::Refusal;
use verbatim_ports::{StoreError, commands::Command};
use verbatim_schemas::{Code, CommandId, ConversationId, EventBody, Src, UserId, entry::Message};

use super::Api;
use crate::handler::Refused;

/// What to look for when a command's id turns out to be stale.
pub(super) struct WhenStale {
    actor: UserId,
    conversation: ConversationId,
    /// None for what is no message.
    message: Option<CommandId>,
}

impl Api {
    /// Notes what to look for before the command is handed over.
    pub(super) fn when_stale(&self, command: &Command) -> WhenStale {
        let is_message = matches!(command.body, EventBody::MessageSent(_));
        WhenStale {
            actor: command.actor.user.clone(),
            conversation: command.conversation,
            message: is_message.then_some(command.id),
        }
    }

    /// The answer to a refused command.
    pub(super) async fn refusal(&self, refused: Refused, stale: WhenStale) -> Refusal {
        let Refused { mut problem, src } = refused;
        if problem.code == Code::StaleId {
            match self.held(stale, src).await {
                Ok(message) => problem.message = Some(message.map(Box::new)),
                // Not knowing is no answer: with null the sender would send it twice.
                Err(error) => return error.into(),
            }
        }
        problem.into()
    }

    /// What history holds for the id, as far as the actor may see it, at or after the ruling.
    async fn held(
        &self,
        stale: WhenStale,
        src: Option<Src>,
    ) -> Result<Option<Message>, StoreError> {
        let WhenStale { actor, conversation, message } = stale;
        let (Some(id), Some(src)) = (message, src) else { return Ok(None) };
        let history = &self.0.history;
        history.reach(&Position::at(src), self.0.history_within).await?;
        let membership = history.membership(conversation, &actor).await?.membership;
        match authorize(&actor, conversation, membership.as_ref(), Action::Read) {
            Ok(grant) => history.sent_message(&grant, id).await,
            Err(_) => Ok(None),
        }
    }
}
