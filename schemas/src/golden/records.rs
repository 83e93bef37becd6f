//! Events, rulings and entries.

use super::Golden;
use crate::{
    Chain, Code, CommandId, ConversationId, Digest, Entry, EntryBody, Event, EventBody, Kind,
    Metadata, Name, Outcome, Posting, Rev, Role, Ruling, Salt, Seq, Src, Text, Timestamp, UserId,
    Visibility,
    entry::{Founding, Message},
    event,
    rest::{Conversation, Member, Receipt},
    ruling::{Accepted, Content, Context, Duplicate, First, Rejection, Spent, Standing},
};

/// Numbers that no float holds, keys out of order, an escape.
const METADATA: &str = r#"{"z":1.10,"a":[1e400,12345678901234567890123],"s":"\u00e9\/"}"#;

pub(super) fn id() -> CommandId {
    "0190a5a0-1111-7aaa-8bbb-000000000001".parse().unwrap()
}

pub(super) fn group() -> ConversationId {
    "0190a5a0-0000-7000-8000-000000000001".parse().unwrap()
}

pub(super) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(super) fn at() -> Timestamp {
    Timestamp::from_millis(1_720_000_000_123)
}

pub(super) fn metadata() -> Option<Metadata> {
    Some(Metadata::new(METADATA).unwrap())
}

pub(super) fn member(name: &str, role: Role) -> Member {
    Member { user_id: user(name), role, since: at() }
}

pub(super) fn receipt() -> Receipt {
    Receipt { user_id: user("bob"), delivered: Seq(3), read: Seq(2), at: Some(at()) }
}

pub(super) fn conversation() -> Conversation {
    Conversation {
        id: group(),
        kind: Kind::Group,
        name: Some(Name::new("friends 🦀").unwrap()),
        peer: None,
        history: Visibility::SinceJoin,
        posting: Posting::Admins,
        role: Role::Admin,
        member_count: 2,
        head_seq: Seq(3),
        head_rev: Rev(5),
        created_at: at(),
    }
}

pub(super) fn message(metadata: Option<Metadata>) -> Message {
    Message {
        id: id(),
        conversation_id: group(),
        seq: Seq(3),
        rev: Rev(5),
        sender: user("ann"),
        text: Text::new("h\"é\n🦀").unwrap(),
        metadata,
        created_at: at(),
    }
}

pub(super) fn entries() -> Vec<(&'static str, Entry)> {
    let conversation = Box::new(Founding {
        id: group(),
        kind: Kind::Group,
        name: Some(Name::new("friends").unwrap()),
        history: Visibility::SinceJoin,
        posting: Posting::Members,
        member_count: 2,
        created_at: at(),
    });
    let members = vec![member("ann", Role::Admin), member("bob", Role::Member)];
    let bob = || member("bob", Role::Member);
    let promoted = Some(user("ann"));
    [
        ("conversation_created", EntryBody::ConversationCreated { conversation, members }),
        ("member_added", EntryBody::MemberAdded { member: bob() }),
        ("member_removed", EntryBody::MemberRemoved { member: bob(), promoted: None }),
        ("member_removed.promoted", EntryBody::MemberRemoved { member: bob(), promoted }),
        ("role_changed", EntryBody::RoleChanged { member: bob() }),
        ("message", EntryBody::Message { message: message(metadata()) }),
        ("message.plain", EntryBody::Message { message: message(None) }),
    ]
    .map(|(name, body)| {
        let (conversation_id, rev, actor) = (group(), Rev(5), user("ann"));
        (name, Entry { conversation_id, rev, at: at(), actor, body })
    })
    .into()
}

pub(super) fn goldens() -> Vec<Golden> {
    let mut goldens = events();
    goldens.extend(rulings());
    goldens.extend(entries().into_iter().map(|(name, entry)| {
        let text = serde_json::to_string(&entry).unwrap();
        Golden::new(format!("entry.{name}"), text, |text| {
            serde_json::to_string(&serde_json::from_str::<Entry>(text).unwrap()).unwrap()
        })
    }));
    goldens
}

fn events() -> Vec<Golden> {
    let bodies = [
        EventBody::ConversationCreated(event::ConversationCreated {
            kind: Kind::Group,
            name: Some(Name::new("friends").unwrap()),
            members: vec![user("bob"), user("cat")],
            history: Visibility::SinceJoin,
            posting: Posting::Members,
        }),
        EventBody::MemberAdded(event::MemberAdded { user_id: user("dan"), role: Role::Member }),
        EventBody::MemberRemoved(event::MemberRemoved { user_id: user("dan") }),
        EventBody::MessageSent(event::MessageSent {
            text: Text::new("h\"é\n🦀").unwrap(),
            metadata: metadata(),
        }),
        EventBody::Delivered(event::Delivered { up_to: Seq(3) }),
        EventBody::Read(event::Read { up_to: Seq(2), delivered: Some(Seq(3)) }),
    ];
    let event = |body: EventBody| {
        let (name, salt) = (body.type_name(), Salt([0x5a; 16]));
        let event = Event { id: id(), conversation_id: group(), actor: user("ann"), salt, body };
        let text = String::from_utf8(event.encode().unwrap()).unwrap();
        Golden::new(format!("event.{name}.v1"), text, |text| {
            let event = Event::decode(text.as_bytes()).unwrap();
            String::from_utf8(event.encode().unwrap()).unwrap()
        })
    };
    bodies.map(event).into()
}

fn rulings() -> Vec<Golden> {
    let context = Context {
        kind: Kind::Group,
        history: Visibility::SinceJoin,
        member_count: 2,
        head_rev: Rev(5),
        head_seq: Seq(3),
    };
    let accepted = |content, receipt, standing| {
        Outcome::Accepted(Box::new(Accepted { context, content, receipt, standing }))
    };
    let duplicate = |first, standing| {
        let of = Src { generation: 1, partition: 2, offset: 7 };
        Outcome::Duplicate(Duplicate { of, first, standing })
    };
    let chain = Chain([0xc4; 32]);
    let first = First::Accepted { rev: Some(Rev(5)), seq: Some(Seq(3)), at: at() };
    let late = Rejection { code: Code::Invalid, field: Some("members".into()) };
    let mut outcomes: Vec<(String, Outcome)> = vec![
        ("accepted.receipt".into(), accepted(None, Some(receipt()), None)),
        (
            "accepted.standing.conversation".into(),
            accepted(None, None, Some(Standing::Conversation(Box::new(conversation())))),
        ),
        (
            "accepted.standing.member".into(),
            accepted(None, None, Some(Standing::Member(member("bob", Role::Member)))),
        ),
        (
            "accepted.standing.receipt".into(),
            accepted(None, None, Some(Standing::Receipt(receipt()))),
        ),
        ("duplicate.accepted".into(), duplicate(first, Some(Standing::Receipt(receipt())))),
        ("duplicate.rejected".into(), duplicate(First::Rejected(Code::Forbidden.into()), None)),
        ("rejected".into(), Outcome::Rejected(Code::LastAdmin.into())),
        ("rejected.field".into(), Outcome::Rejected(late)),
    ];
    outcomes.extend(entries().into_iter().map(|(name, entry)| {
        (
            format!("accepted.{name}"),
            accepted(Some(Content { entry, chain }), Some(receipt()), None),
        )
    }));
    let mut goldens: Vec<Golden> =
        outcomes.into_iter().map(|(name, outcome)| golden(&name, &ruling(outcome))).collect();
    // A record that is no event: nothing is known of it.
    goldens.push(golden(
        "rejected.unreadable",
        &Ruling {
            prev_src: None,
            conversation_id: None,
            event_id: None,
            actor: None,
            spent: None,
            ..ruling(Outcome::Rejected(Code::Malformed.into()))
        },
    ));
    goldens
}

fn ruling(outcome: Outcome) -> Ruling {
    Ruling {
        rule_v: 1,
        src: Src { generation: 1, partition: 2, offset: 9 },
        prev_src: Some(Src { generation: 1, partition: 2, offset: 8 }),
        at: at(),
        conversation_id: Some(group()),
        event_id: Some(id()),
        actor: Some(user("ann")),
        spent: Some(Spent { salt: Salt([0x5a; 16]), digest: Digest([0xd1; 32]) }),
        outcome,
    }
}

fn golden(name: &str, ruling: &Ruling) -> Golden {
    let text = String::from_utf8(ruling.encode().unwrap()).unwrap();
    Golden::new(format!("ruling.{name}.v1"), text, |text| {
        let ruling = Ruling::decode(text.as_bytes()).unwrap();
        String::from_utf8(ruling.encode().unwrap()).unwrap()
    })
}
