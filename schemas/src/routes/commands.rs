//! Routes that change something (api.md section 2).

use super::shape::{
    COMMAND, EVERY, INSIDE, Method, Route, SIGNED_IN, Service, WITH_BODY, empty, json, of,
};
use crate::{
    entry::Message,
    error::Code,
    rest::{
        Conversation, CreateConversation, Member, Pending, PutMember, PutReceipts, SendMessage,
        Watermarks,
    },
};

const WRITE: Route = Route {
    service: Service::CommandApi,
    position: true,
    idempotency: true,
    command: true,
    ..Route::BLANK
};

/// `PUT /v1/direct/{user_id}`
pub static OPEN_DIRECT: Route = Route {
    method: Method::Put,
    path: "/v1/direct/{user_id}",
    operation: "openDirect",
    summary: "Opens the direct conversation with a user, or answers it as it is.",
    answers: &[
        json::<Conversation>(200, "It was there already."),
        json::<Conversation>(201, "It was opened."),
        json::<Pending>(202, "Stored, and not ruled on yet."),
    ],
    codes: &[EVERY, SIGNED_IN, COMMAND],
    ..WRITE
};

/// `PUT /v1/conversations/{id}`
pub static CREATE_CONVERSATION: Route = Route {
    method: Method::Put,
    path: "/v1/conversations/{id}",
    operation: "createConversation",
    summary: "Creates a group or a channel under an id that the client made; the caller becomes admin.",
    body: Some(of::<CreateConversation>),
    answers: &[
        json::<Conversation>(200, "The caller created it before with an equal body."),
        json::<Conversation>(201, "It was created."),
        json::<Pending>(202, "Stored, and not ruled on yet."),
    ],
    codes: &[
        EVERY,
        SIGNED_IN,
        WITH_BODY,
        COMMAND,
        &[Code::ConversationExists, Code::ConversationFull],
    ],
    ..WRITE
};

/// `PUT /v1/conversations/{id}/members/{user_id}`
pub static PUT_MEMBER: Route = Route {
    method: Method::Put,
    path: "/v1/conversations/{id}/members/{user_id}",
    operation: "putMember",
    summary: "Adds a member, or changes a member's role.",
    body: Some(of::<PutMember>),
    answers: &[
        json::<Member>(200, "The role changed, or was so already."),
        json::<Member>(201, "The user became a member."),
        json::<Pending>(202, "Stored, and not ruled on yet."),
    ],
    codes: &[
        EVERY,
        SIGNED_IN,
        WITH_BODY,
        COMMAND,
        INSIDE,
        &[Code::DirectIsFixed, Code::LastAdmin, Code::ConversationFull],
    ],
    ..WRITE
};

/// `DELETE /v1/conversations/{id}/members/{user_id}`
pub static REMOVE_MEMBER: Route = Route {
    method: Method::Delete,
    path: "/v1/conversations/{id}/members/{user_id}",
    operation: "removeMember",
    summary: "Removes a member; with one's own id: leaves.",
    answers: &[
        json::<Pending>(202, "Stored, and not ruled on yet."),
        empty(204, "The user is no member (any more)."),
    ],
    codes: &[EVERY, SIGNED_IN, COMMAND, INSIDE, &[Code::DirectIsFixed]],
    ..WRITE
};

/// `POST /v1/conversations/{id}/messages`
pub static SEND_MESSAGE: Route = Route {
    method: Method::Post,
    path: "/v1/conversations/{id}/messages",
    operation: "sendMessage",
    summary: "Sends a message. Its id makes repeating it safe.",
    body: Some(of::<SendMessage>),
    answers: &[
        json::<Message>(200, "It was sent before."),
        json::<Message>(201, "It was sent."),
        json::<Pending>(202, "Stored, and not ruled on yet."),
    ],
    codes: &[EVERY, SIGNED_IN, WITH_BODY, COMMAND, INSIDE],
    idempotency: false,
    ..WRITE
};

/// `PUT /v1/conversations/{id}/receipts`
pub static PUT_RECEIPTS: Route = Route {
    method: Method::Put,
    path: "/v1/conversations/{id}/receipts",
    operation: "putReceipts",
    summary: "Raises the caller's watermarks; they are never lowered.",
    body: Some(of::<PutReceipts>),
    answers: &[
        json::<Watermarks>(200, "The watermarks after."),
        json::<Pending>(202, "Stored, and not ruled on yet."),
    ],
    codes: &[EVERY, SIGNED_IN, WITH_BODY, COMMAND, INSIDE, &[Code::BeyondHead]],
    ..WRITE
};
