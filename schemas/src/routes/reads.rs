//! Routes that read (api.md section 3).

use super::shape::{EVERY, INSIDE, Param, READ, Route, SIGNED_IN, Service, json, of};
use crate::{
    entry::{Entry, Message},
    ids::UserId,
    number::{Rev, Seq},
    rest::{Conversation, Cursor, InboxItem, Limit, Member, Page, Presence, Receipt, Unread},
};

const SEE: Route =
    Route { service: Service::QueryApi, after: true, position: true, ..Route::BLANK };

const LIMIT: Param = Param {
    name: "limit",
    doc: "Most items, 1 to 200; 50 when absent.",
    schema: of::<Limit>,
    repeated: false,
};
const CURSOR: Param = Param {
    name: "cursor",
    doc: "The `next` of the page before.",
    schema: of::<Cursor>,
    repeated: false,
};

/// `GET /v1/conversations`
pub static LIST_CONVERSATIONS: Route = Route {
    path: "/v1/conversations",
    operation: "listConversations",
    summary: "The caller's inbox, latest entry first.",
    query: &[CURSOR, LIMIT],
    answers: &[json::<Page<InboxItem, Cursor>>(200, "A page of the inbox.")],
    codes: &[EVERY, SIGNED_IN, READ],
    ..SEE
};

/// `GET /v1/conversations/{id}`
pub static GET_CONVERSATION: Route = Route {
    path: "/v1/conversations/{id}",
    operation: "getConversation",
    summary: "One conversation as the caller sees it.",
    answers: &[json::<Conversation>(200, "The conversation.")],
    codes: &[EVERY, SIGNED_IN, READ, INSIDE],
    ..SEE
};

/// `GET /v1/conversations/{id}/members`
pub static LIST_MEMBERS: Route = Route {
    path: "/v1/conversations/{id}/members",
    operation: "listMembers",
    summary: "The members, in the order of their ids.",
    query: &[CURSOR, LIMIT],
    answers: &[json::<Page<Member, Cursor>>(200, "A page of members.")],
    codes: &[EVERY, SIGNED_IN, READ, INSIDE],
    ..SEE
};

/// `GET /v1/conversations/{id}/messages`
pub static LIST_MESSAGES: Route = Route {
    path: "/v1/conversations/{id}/messages",
    operation: "listMessages",
    summary: "Messages as they stand now: newest first, or oldest first with `after`.",
    query: &[
        Param {
            name: "before",
            doc: "Messages below this seq; not together with `after`.",
            schema: of::<Seq>,
            repeated: false,
        },
        Param {
            name: "after",
            doc: "Messages above this seq, oldest first.",
            schema: of::<Seq>,
            repeated: false,
        },
        LIMIT,
    ],
    answers: &[json::<Page<Message, Seq>>(200, "A page of messages.")],
    codes: &[EVERY, SIGNED_IN, READ, INSIDE],
    ..SEE
};

/// `GET /v1/conversations/{id}/entries`
pub static LIST_ENTRIES: Route = Route {
    path: "/v1/conversations/{id}/entries",
    operation: "listEntries",
    summary: "Entries by rev, exactly as the socket sent them; fills gaps.",
    query: &[
        Param {
            name: "after",
            doc: "Entries above this rev; from the first when absent.",
            schema: of::<Rev>,
            repeated: false,
        },
        LIMIT,
    ],
    answers: &[json::<Page<Entry, Rev>>(200, "A page of entries.")],
    codes: &[EVERY, SIGNED_IN, READ, INSIDE],
    ..SEE
};

/// `GET /v1/conversations/{id}/receipts`
pub static LIST_RECEIPTS: Route = Route {
    path: "/v1/conversations/{id}/receipts",
    operation: "listReceipts",
    summary: "How far the members are; above 256 members (or what is set) the caller's own only.",
    query: &[CURSOR, LIMIT],
    answers: &[json::<Page<Receipt, Cursor>>(200, "A page of receipts.")],
    codes: &[EVERY, SIGNED_IN, READ, INSIDE],
    ..SEE
};

/// `GET /v1/unread`
pub static GET_UNREAD: Route = Route {
    path: "/v1/unread",
    operation: "getUnread",
    summary: "How much the caller has not read, over all conversations.",
    answers: &[json::<Unread>(200, "The totals.")],
    codes: &[EVERY, SIGNED_IN, READ],
    ..SEE
};

/// `GET /v1/presence`
pub static GET_PRESENCE: Route = Route {
    path: "/v1/presence",
    operation: "getPresence",
    summary: "Who is online, of the users that share a conversation with the caller.",
    query: &[Param {
        name: "user",
        doc: "Whom; 1 to 100 of them.",
        schema: of::<UserId>,
        repeated: true,
    }],
    answers: &[json::<Page<Presence, Cursor>>(
        200,
        "In the order of the question; `next` is null.",
    )],
    codes: &[EVERY, SIGNED_IN, READ],
    ..SEE
};
