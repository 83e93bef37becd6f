//! Frames of both sides.

use super::{
    Golden,
    records::{at, entries, group, id, message, metadata, receipt, user},
};
use crate::{
    Code, DeviceId, Problem, Rev, Seq,
    frames::{Ack, ClientFrame, HeadItem, Limits, ServerFrame},
    rest::Presence,
    strict,
};

pub(super) fn goldens() -> Vec<Golden> {
    let mut goldens = from_clients();
    goldens.extend(from_server());
    goldens
}

fn from_clients() -> Vec<Golden> {
    let conversation = group();
    let meta = metadata();
    let meta = meta.as_ref().map(|metadata| metadata.as_str()).unwrap();
    let of = |fields: &str| format!(r#""conversation_id":"{conversation}"{fields}"#);
    let id = id();
    let frames = [
        ("hello", r#""ticket":"t-1","since":"AQEABw""#.to_owned()),
        ("send", of(&format!(r#","id":"{id}","text":"h\"é\n🦀","metadata":{meta}"#))),
        ("fetch", of(r#","after":4"#)),
        ("receipt", of(r#","delivered":3,"read":2"#)),
        ("typing", of("")),
        ("watch", r#""users":["bob","cat"]"#.to_owned()),
        ("unwatch", r#""users":["bob"]"#.to_owned()),
        ("view", of("")),
        ("unview", of("")),
        ("renew", r#""token":"a.b.c""#.to_owned()),
    ];
    assert!(frames.iter().map(|(name, _)| *name).eq(ClientFrame::TYPES.iter().copied()));
    let golden = |(name, fields): (&str, String)| {
        let text = format!(r#"{{"type":"{name}","ref":"r-1",{fields}}}"#);
        Golden::new(format!("client.{name}"), text, |text| {
            serde_json::to_string(&ClientFrame::parse(text).unwrap()).unwrap()
        })
    };
    frames.map(golden).into()
}

fn from_server() -> Vec<Golden> {
    let (conversation_id, reference) = (group(), Some("r-1".to_owned()));
    let items = entries().into_iter().map(|(_, entry)| entry);
    let of_metadata =
        |entry: &crate::Entry| serde_json::to_string(entry).unwrap().contains("metadata");
    let (rich, plain): (Vec<_>, Vec<_>) = items.partition(of_metadata);
    let page = |items| ServerFrame::Entries {
        reference: Some("r-1".to_owned()),
        conversation_id,
        items,
        next: Some(Rev(5)),
        head_rev: Rev(9),
    };
    let ack = |ack: Ack| ServerFrame::Ack(ack);
    let stale = Problem { message: Some(None), ..Problem::new(Code::StaleId) };
    let held = Problem { message: Some(Some(Box::new(message(None)))), ..stale.clone() };
    let limited = Problem::new(Code::RateLimited).retry_after_ms(50);
    let frames = [
        ("welcome", welcome()),
        ("heads", ServerFrame::Heads { items: vec![head()], more: true, behind: true }),
        ("heads.last", ServerFrame::Heads { items: vec![], more: false, behind: false }),
        ("ack.bare", ack(Ack::default())),
        ("ack.send", ack(ack_of_send())),
        ("ack.receipt", ack(Ack { delivered: Some(Seq(3)), read: Some(Seq(2)), ..Ack::default() })),
        ("ack.view", ack(Ack { head_rev: Some(Rev(9)), head_seq: Some(Seq(3)), ..Ack::default() })),
        ("error", ServerFrame::error(reference.clone(), Problem::invalid("text", "too long"))),
        ("error.rate", ServerFrame::error(None, limited)),
        ("error.stale", ServerFrame::error(reference.clone(), stale)),
        ("error.stale.held", ServerFrame::error(reference, held)),
        ("entries", page(plain)),
        ("receipt", moved()),
        ("unread", unread(Some(2))),
        ("unread.channel", unread(None)),
        ("typing", ServerFrame::Typing { conversation_id, user_id: user("bob") }),
        (
            "presence",
            ServerFrame::Presence(Presence { user_id: user("bob"), online: true, last_seen: None }),
        ),
        (
            "presence.gone",
            ServerFrame::Presence(Presence {
                user_id: user("bob"),
                online: false,
                last_seen: Some(at()),
            }),
        ),
        ("left", ServerFrame::Left { conversation_id }),
        (
            "bye",
            ServerFrame::Bye {
                code: "restart".into(),
                detail: "come back".into(),
                reconnect_after_ms: 250,
            },
        ),
    ];
    let mut goldens: Vec<Golden> = frames
        .into_iter()
        .map(|(name, frame)| {
            let text = serde_json::to_string(&frame).unwrap();
            Golden::new(format!("server.{name}"), text, |text| {
                serde_json::to_string(&serde_json::from_str::<ServerFrame>(text).unwrap()).unwrap()
            })
        })
        .collect();
    // With metadata a frame is only ever written; its items are read one by one.
    let text = serde_json::to_string(&page(rich)).unwrap();
    goldens.push(Golden::new("server.entries.metadata", text, |text| {
        let start = text.find(r#""items":["#).unwrap() + r#""items":["#.len();
        let end = text.find(r#"],"next""#).unwrap();
        let entry: crate::Entry = serde_json::from_str(&text[start..end]).unwrap();
        let entry = serde_json::to_string(&entry).unwrap();
        assert!(serde_json::from_str::<Box<serde_json::value::RawValue>>(text).is_ok());
        format!("{}{entry}{}", &text[..start], &text[end..])
    }));
    goldens
}

fn welcome() -> ServerFrame {
    ServerFrame::Welcome {
        session_id: "s-1".into(),
        user_id: user("ann"),
        device: DeviceId::default(),
        position: "AQEABw".into(),
        resumed: true,
        server_time: at(),
        limits: Limits {
            message_bytes: 131_072,
            text_bytes: 16_384,
            metadata_bytes: 4_096,
            sends_per_second: 20,
            sends_burst: 60,
            watch_users: 500,
            view_channels: 10,
        },
        ping_interval_ms: 30_000,
    }
}

fn head() -> HeadItem {
    HeadItem {
        conversation_id: group(),
        head_rev: Rev(9),
        head_seq: Seq(3),
        unread: 1,
        read: Seq(2),
    }
}

fn ack_of_send() -> Ack {
    Ack {
        reference: Some("r-1".into()),
        conversation_id: Some(group()),
        id: Some(id()),
        seq: Some(Seq(3)),
        rev: Some(Rev(5)),
        created_at: Some(at()),
        position: Some("AQEABw".into()),
        duplicate: true,
        ..Ack::default()
    }
}

fn moved() -> ServerFrame {
    let receipt = receipt();
    ServerFrame::Receipt {
        conversation_id: group(),
        user_id: receipt.user_id,
        delivered: receipt.delivered,
        read: receipt.read,
        at: at(),
    }
}

fn unread(unread: Option<u64>) -> ServerFrame {
    let read = unread.map(|_| Seq(1));
    ServerFrame::Unread {
        conversation_id: group(),
        head_rev: Rev(9),
        head_seq: Seq(3),
        unread,
        read,
    }
}

#[derive(serde::Deserialize)]
struct Typed {
    r#type: String,
}

#[test]
fn every_frame_of_the_server_has_a_golden_file() {
    let written = from_server();
    let types: std::collections::BTreeSet<String> =
        written.iter().map(|golden| strict::peek::<Typed>(&golden.text).unwrap().r#type).collect();
    // Entry frames are entries with a type, made by the gateway.
    assert_eq!(types.len(), 11);
}
