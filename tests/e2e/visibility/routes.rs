//! Every route of the table, for every caller.

use anyhow::Result;
use serde_json::{Value, json};
use verbatim_schemas::routes::{ROUTES, Route};
use verbatim_tests::{
    Socket, new_id,
    wire::{self, Reply, Wire},
};

use super::cast::{CALLERS, Caller, Cast};

/// What a cell of the matrix expects: the status and, of a refusal, the code.
type Want = (u16, &'static str);

/// One row: what is asked, and what each of [`CALLERS`] gets.
struct Row {
    path: String,
    body: Option<Value>,
    want: [Want; 5],
    upgrade: bool,
}

const UNKNOWN: Want = (401, "unauthenticated");
const HIDDEN: Want = (404, "conversation_not_found");

/// Inside a conversation: what a member and what an admin gets.
fn inside(member: Want, admin: Want) -> [Want; 5] {
    [UNKNOWN, HIDDEN, HIDDEN, member, admin]
}

/// For whoever is signed in.
fn signed_in(want: Want) -> [Want; 5] {
    [UNKNOWN, want, want, want, want]
}

/// The row of a route; every route has one.
fn row(operation: &str, id: &str, caller: Caller) -> Row {
    let ok = (200, "");
    let read = inside(ok, ok);
    let conversation = format!("/v1/conversations/{id}");
    let under = |part: &str| format!("{conversation}/{part}");
    let role = json!({"role": "member"});
    let (path, body, want) = match operation {
        "openDirect" => (format!("/v1/direct/pal-of-{}", caller as u8), None, signed_in((201, ""))),
        "createConversation" => {
            let body = json!({"kind": "group", "name": "Mine"});
            (conversation, Some(body), signed_in((409, "conversation_exists")))
        }
        "putMember" => {
            (under("members/newcomer"), Some(role), inside((403, "forbidden"), (201, "")))
        }
        "removeMember" => (under("members/removable"), None, inside((403, "forbidden"), (204, ""))),
        "sendMessage" => {
            let body = json!({"id": new_id(), "text": "canary-live"});
            (under("messages"), Some(body), inside((201, ""), (201, "")))
        }
        "putReceipts" => (under("receipts"), Some(json!({"read": 1})), read),
        "listConversations" => ("/v1/conversations".to_owned(), None, signed_in(ok)),
        "getConversation" => (conversation, None, read),
        "listMembers" => (under("members"), None, read),
        "listMessages" => (under("messages"), None, read),
        "listEntries" => (under("entries"), None, read),
        "listReceipts" => (under("receipts"), None, read),
        "getUnread" => ("/v1/unread".to_owned(), None, signed_in(ok)),
        "getPresence" => ("/v1/presence?user=known".to_owned(), None, signed_in(ok)),
        "createTicket" => ("/v1/ws/tickets".to_owned(), None, signed_in((201, ""))),
        "openSocket" => ("/v1/ws".to_owned(), None, [(101, ""); 5]),
        "createDevToken" => {
            let body = json!({"user_id": "somebody"});
            ("/v1/dev/tokens".to_owned(), Some(body), [(201, ""); 5])
        }
        "healthLive" => ("/v1/health/live".to_owned(), None, [ok; 5]),
        "healthReady" => ("/v1/health/ready".to_owned(), None, [ok; 5]),
        "openapiDocument" => ("/openapi.json".to_owned(), None, [ok; 5]),
        "asyncapiDocument" => ("/asyncapi.json".to_owned(), None, [ok; 5]),
        "docsPage" => ("/docs".to_owned(), None, [ok; 5]),
        "docsStyle" => ("/docs.css".to_owned(), None, [ok; 5]),
        // On an address of its own.
        "metrics" => ("/metrics".to_owned(), None, [(404, "not_found"); 5]),
        unlisted => panic!("{unlisted} has no row in the matrix: who may see what it answers?"),
    };
    Row { path, body, want, upgrade: operation == "openSocket" }
}

async fn ask(cast: &Cast, route: &Route, caller: Caller, row: &Row) -> Result<Reply> {
    let token = cast.client(caller).token.as_ref().map(|token| format!("Bearer {token}"));
    let mut headers: Vec<(&str, &str)> = Vec::new();
    if let Some(token) = &token {
        headers.push(("authorization", token));
    }
    if row.upgrade {
        return Ok(Wire::open(cast.server.address(), &headers).await?.answer);
    }
    let body = row.body.as_ref().map(Value::to_string).unwrap_or_default();
    let length = body.len().to_string();
    headers.push(("content-length", &length));
    if row.body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let line = format!("{} {}", route.method.as_str(), row.path);
    wire::request(cast.server.address(), &line, &headers, body.as_bytes()).await
}

async fn matrix(history: &'static str) -> Result<()> {
    let cast = Cast::play(history).await?;
    let mut sockets = Vec::new();
    for caller in &CALLERS[1..] {
        sockets.push(Socket::open(cast.client(*caller)).await?);
    }
    let mut shown = CALLERS.map(|_| String::new());
    for route in ROUTES {
        for caller in CALLERS {
            let what = format!("{} for {caller:?}", route.operation);
            let row_of = |id: &str| row(route.operation, id, caller);
            let own = row_of(&cast.id);
            let reply = ask(&cast, route, caller, &own).await?;
            let (status, code) = own.want[caller as usize];
            assert_eq!((reply.status, reply.code().as_str()), (status, code), "{what}: {reply:?}");
            cast.search(caller, &what, &reply.everything());
            shown[caller as usize].push_str(&reply.everything());
            if !route.path.contains("{id}") || route.operation == "createConversation" {
                continue;
            }
            // Byte for byte as if it did not exist, whoever asks.
            let missing = ask(&cast, route, caller, &row_of(&new_id())).await?;
            let foreign = ask(&cast, route, caller, &row_of(&cast.foreign)).await?;
            assert_eq!(missing.essence(), foreign.essence(), "{what}");
            cast.search(caller, &what, &foreign.everything());
            let hidden = if caller == Caller::Anonymous { UNKNOWN } else { HIDDEN };
            assert_eq!((missing.status, missing.code().as_str()), hidden, "{what}");
            if status >= 400 && status != 403 {
                assert_eq!(reply.essence(), missing.essence(), "{what}");
            }
        }
    }
    // What came on the open sockets meanwhile; a last ask makes sure that all of it was read.
    for (socket, caller) in sockets.iter_mut().zip(&CALLERS[1..]) {
        cast.client(Caller::Admin).send(&cast.id, "canary-live, the last").await?.expect(201);
        if matches!(caller, Caller::Late | Caller::Admin) {
            let last = |frame: &Value| frame["message"]["text"] == "canary-live, the last";
            socket.wait_for(last).await?;
        }
        socket.ask(json!({"type": "unwatch", "users": []})).await?;
        let seen = socket.seen.join("\n");
        cast.search(*caller, "the socket", &seen);
        shown[*caller as usize].push_str(&seen);
    }
    for caller in [Caller::Late, Caller::Admin] {
        cast.sings(caller, &shown[caller as usize]);
    }
    refused_commands_changed_nothing(&cast).await
}

async fn refused_commands_changed_nothing(cast: &Cast) -> Result<()> {
    let admin = cast.client(Caller::Admin);
    let members = admin.get(&format!("/v1/conversations/{}/members", cast.id)).await?;
    let members = members.expect(200).json();
    let ids = members["items"].as_array().into_iter().flatten();
    let ids: Vec<_> = ids.filter_map(|member| member["user_id"].as_str()).collect();
    assert_eq!(ids, ["canary-admin", "canary-late", "canary-second", "known", "newcomer"]);
    let senders: Vec<Value> =
        admin.messages(&cast.id).await?.iter().map(|message| message["sender"].clone()).collect();
    assert!(senders.iter().all(|sender| sender == "canary-admin" || sender == "canary-late"));
    Ok(())
}

#[tokio::test]
async fn g7_every_route_shows_each_caller_only_theirs_since_join() -> Result<()> {
    matrix("since_join").await
}

#[tokio::test]
async fn g7_every_route_shows_each_caller_only_theirs_with_all_history() -> Result<()> {
    matrix("all").await
}

#[test]
fn rows_are_for_routes_that_exist() {
    let listed = std::panic::catch_unwind(|| row("teleport", "x", Caller::Admin).want);
    assert!(listed.is_err(), "a route without a row fails the matrix");
}
