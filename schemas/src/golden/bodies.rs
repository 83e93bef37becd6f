//! Bodies of the REST interface.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Golden,
    records::{at, conversation, entries, group, id, member, message, metadata, receipt, user},
};
use crate::{
    Code, Problem, Role, Seq,
    rest::{
        CreateConversation, CreateDevToken, Cursor, DevToken, Health, InboxItem, Page, Pending,
        Presence, PutMember, PutReceipts, SendMessage, Ticket, Unread, Watermarks,
    },
    strict,
};

pub(super) fn goldens() -> Vec<Golden> {
    let mut goldens = requests();
    goldens.extend(answers());
    goldens.extend(problems());
    goldens
}

/// What a client sends is read as strictly as the server does.
fn request<T: Serialize + DeserializeOwned>(name: &str, text: String) -> Golden {
    Golden::new(format!("rest.request.{name}"), text, |text| {
        serde_json::to_string(&strict::parse::<T>(text.as_bytes()).unwrap()).unwrap()
    })
}

fn answer<T: Serialize + DeserializeOwned>(name: &str, answer: &T) -> Golden {
    Golden::new(format!("rest.answer.{name}"), serde_json::to_string(answer).unwrap(), |text| {
        serde_json::to_string(&serde_json::from_str::<T>(text).unwrap()).unwrap()
    })
}

fn requests() -> Vec<Golden> {
    let metadata = metadata().unwrap();
    let create =
        r#"{"kind":"channel","name":"news","members":["bob"],"history":"all","posting":"admins"}"#;
    let send = format!(r#"{{"id":"{}","text":"hello","metadata":{}}}"#, id(), metadata.as_str());
    let token = r#"{"user_id":"ann","device":"phone","roles":["moderator"]}"#;
    vec![
        request::<CreateConversation>("create_conversation", create.to_owned()),
        request::<PutMember>("put_member", r#"{"role":"admin"}"#.to_owned()),
        request::<SendMessage>("send_message", send),
        request::<PutReceipts>("put_receipts", r#"{"delivered":3,"read":2}"#.to_owned()),
        request::<CreateDevToken>("create_dev_token", token.to_owned()),
    ]
}

fn answers() -> Vec<Golden> {
    let item = InboxItem {
        conversation: conversation(),
        last_message: Some(message(metadata())),
        unread: 1,
        read: Seq(2),
        delivered: Seq(3),
        active_at: at(),
    };
    let messages = Page { items: vec![message(metadata())], next: Some(Seq(3)) };
    let items = entries().into_iter().map(|(_, entry)| entry).collect();
    let presence = Presence { user_id: user("bob"), online: false, last_seen: Some(at()) };
    let pending = Pending { id: Some(id()), conversation_id: group(), position: "AQEABw".into() };
    let cursor = || Some(Cursor("Ym9i".into()));
    vec![
        answer("conversation", &conversation()),
        answer("member", &member("bob", Role::Member)),
        answer("message", &message(metadata())),
        answer("watermarks", &Watermarks { delivered: Seq(3), read: Seq(2) }),
        answer("pending", &pending),
        answer("inbox", &Page { items: vec![item], next: cursor() }),
        answer("members", &Page { items: vec![member("bob", Role::Admin)], next: cursor() }),
        answer("messages", &messages),
        answer("entries", &Page::<_, crate::Rev> { items, next: None }),
        answer("receipts", &Page { items: vec![receipt()], next: cursor() }),
        answer("unread", &Unread { conversations: 1, messages: 2 }),
        answer("presence", &Page::<_, Cursor> { items: vec![presence], next: None }),
        answer("ticket", &Ticket { ticket: "t-1".into() }),
        answer("dev_token", &DevToken { token: "a.b.c".into(), expires_at: at() }),
        answer("health", &Health { status: "ready".into() }),
    ]
}

#[derive(serde::Deserialize)]
struct Coded {
    code: Code,
}

/// Problems are only ever written; a reader holds them as values.
fn problems() -> Vec<Golden> {
    let stale = Problem { message: Some(None), ..Problem::new(Code::StaleId) };
    let held = Problem { message: Some(Some(Box::new(message(metadata())))), ..stale.clone() };
    let mut problems: Vec<(String, Problem)> =
        Code::ALL.iter().map(|code| (code.name().to_owned(), Problem::new(*code))).collect();
    problems.push(("invalid.field".into(), Problem::invalid("members[3]", "must be a user id")));
    problems.push(("behind.later".into(), Problem::new(Code::Behind).retry_after_ms(1_500)));
    problems.push(("stale_id.nothing".into(), stale));
    problems.push(("stale_id.held".into(), held));
    problems
        .into_iter()
        .map(|(name, problem)| {
            let text = serde_json::to_string(&problem.body()).unwrap();
            Golden::new(format!("problem.{name}"), text, |text| {
                let Coded { code } = strict::peek(text).unwrap();
                let plain = serde_json::to_string(&Problem::new(code).body()).unwrap();
                // The fixed part stands in every problem of the code.
                assert!(text.starts_with(&plain[..plain.find(r#""detail""#).unwrap()]), "{text}");
                text.to_owned()
            })
        })
        .collect()
}
