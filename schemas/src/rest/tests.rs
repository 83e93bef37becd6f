use super::*;

fn item() -> InboxItem {
    let user: UserId = "ann".parse().unwrap();
    let id: ConversationId = "0190a5a0-0000-7000-8000-000000000001".parse().unwrap();
    InboxItem {
        conversation: Conversation {
            id,
            kind: Kind::Group,
            name: Some(Name::new("friends").unwrap()),
            peer: None,
            history: Visibility::SinceJoin,
            posting: Posting::Members,
            role: Role::Admin,
            member_count: 1,
            head_seq: Seq(1),
            head_rev: Rev(2),
            created_at: Timestamp::from_millis(1),
        },
        last_message: Some(Message {
            id: "0190a5a0-0000-7000-8000-000000000002".parse().unwrap(),
            conversation_id: id,
            seq: Seq(1),
            rev: Rev(2),
            sender: user,
            text: Text::new("hello").unwrap(),
            metadata: Some(
                Metadata::new(r#"{"b":1.10,"a":1e400,"n":12345678901234567890123}"#).unwrap(),
            ),
            created_at: Timestamp::from_millis(2),
        }),
        unread: 0,
        read: Seq(1),
        delivered: Seq(1),
        active_at: Timestamp::from_millis(2),
    }
}

#[test]
fn an_inbox_item_keeps_metadata_byte_for_byte_in_both_directions() {
    let json = serde_json::to_string(&item()).unwrap();
    assert!(
        json.contains(r#""metadata":{"b":1.10,"a":1e400,"n":12345678901234567890123}"#),
        "{json}"
    );
    let read: InboxItem = serde_json::from_str(&json).unwrap();
    assert_eq!(read, item());
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}

#[test]
fn a_conversation_without_messages_says_so() {
    let json = serde_json::to_value(InboxItem { last_message: None, ..item() }).unwrap();
    assert_eq!(json["last_message"], serde_json::Value::Null);
    assert!(json.as_object().unwrap().contains_key("last_message"));
}

#[test]
fn words_are_read_as_they_are_written() {
    for kind in [Kind::Direct, Kind::Group, Kind::Channel] {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert_eq!(Role::parse("Admin"), None);
}
