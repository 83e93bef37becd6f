//! The answer to a creation.

use axum::response::Response;
use http::StatusCode;
use verbatim_http::Refusal;
use verbatim_ports::commands::Ruled;
use verbatim_schemas::{
    ConversationId, Entry, EntryBody, Kind, Rev, Role, Seq, UserId, event::ConversationCreated,
    rest::Conversation, ruling::Standing,
};

use super::ask::{answer, unfit};

/// 201 with the new conversation, or 200 with the one that stands already.
pub(super) fn created(
    ruled: &Ruled,
    id: ConversationId,
    caller: &UserId,
    asked: ConversationCreated,
) -> Result<Response, Refusal> {
    if let Some(entry) = &ruled.entry {
        let conversation = founded(entry, caller).ok_or_else(unfit)?;
        return Ok(answer(ruled, StatusCode::CREATED, &conversation));
    }
    match &ruled.standing {
        Some(Standing::Conversation(conversation)) => {
            Ok(answer(ruled, StatusCode::OK, conversation))
        }
        // A repeat by a creator who left since: as it was then.
        None if ruled.duplicate => Ok(answer(ruled, StatusCode::OK, &as_asked(ruled, id, asked))),
        _ => Err(unfit()),
    }
}

/// A conversation that its creator founded and left: what they asked for, and nothing later. (Nobody leaves a
/// direct one.)
fn as_asked(ruled: &Ruled, id: ConversationId, asked: ConversationCreated) -> Conversation {
    let others = u32::try_from(asked.members.len()).unwrap_or(u32::MAX);
    Conversation {
        id,
        kind: asked.kind,
        name: asked.name,
        peer: None,
        history: asked.history,
        posting: asked.posting,
        role: Role::Admin,
        member_count: others.saturating_add(1),
        head_seq: Seq::ZERO,
        head_rev: ruled.rev.unwrap_or(Rev(1)),
        created_at: ruled.at,
    }
}

/// A conversation as it was founded, as one of its members sees it.
fn founded(entry: &Entry, caller: &UserId) -> Option<Conversation> {
    let EntryBody::ConversationCreated { conversation: founding, members } = &entry.body else {
        return None;
    };
    let me = members.iter().find(|member| member.user_id == *caller)?;
    let other = members.iter().find(|member| member.user_id != *caller);
    let peer = other.filter(|_| founding.kind == Kind::Direct);
    Some(Conversation {
        id: founding.id,
        kind: founding.kind,
        name: founding.name.clone(),
        peer: peer.map(|peer| peer.user_id.clone()),
        history: founding.history,
        posting: founding.posting,
        role: me.role,
        member_count: founding.member_count,
        head_seq: Seq::ZERO,
        head_rev: entry.rev,
        created_at: founding.created_at,
    })
}
