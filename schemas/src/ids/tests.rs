use super::*;

const V7: &str = "0190a5a0-0000-7000-8000-000000000001";

#[test]
fn every_byte_is_allowed_or_not() {
    let allowed = |byte: u8| (0x21..=0x7e).contains(&byte) && !b"/?#%\"\\,<>".contains(&byte);
    for byte in 0..=127u8 {
        let text = format!("a{}", char::from(byte));
        assert_eq!(text.parse::<UserId>().is_ok(), allowed(byte), "{byte:#x}");
        assert_eq!(text.parse::<DeviceId>().is_ok(), allowed(byte), "{byte:#x}");
    }
    for text in ["é", "\u{a0}", "🦀"] {
        assert!(text.parse::<UserId>().is_err(), "{text}");
    }
}

#[test]
fn ids_are_bounded() {
    for (length, user, device) in [
        (0, false, false),
        (1, true, true),
        (64, true, true),
        (65, true, false),
        (128, true, false),
        (129, false, false),
    ] {
        let text = "u".repeat(length);
        assert_eq!(text.parse::<UserId>().is_ok(), user, "{length}");
        assert_eq!(text.parse::<DeviceId>().is_ok(), device, "{length}");
    }
}

#[test]
fn one_uuid_has_one_spelling() {
    assert_eq!(V7.parse::<CommandId>().unwrap().to_string(), V7);
    let spellings = [
        V7.replace("-", ""),
        format!("{{{V7}}}"),
        format!("urn:uuid:{V7}"),
        "0190A5A0-0000-7000-8000-00000000000A".to_owned(),
        format!("{V7} "),
        format!("{V7}0"),
        String::new(),
    ];
    for text in spellings {
        assert!(text.parse::<CommandId>().is_err(), "{text}");
        assert!(text.parse::<ConversationId>().is_err(), "{text}");
    }
}

#[test]
fn versions_and_variants_are_checked() {
    for version in 0..=15u8 {
        let text = format!("0190a5a0-0000-{version:x}000-8000-000000000001");
        assert_eq!(text.parse::<CommandId>().is_ok(), version == 7, "{text}");
        assert_eq!(text.parse::<ConversationId>().is_ok(), version == 7 || version == 8, "{text}");
    }
    for variant in 0..=15u8 {
        let text = format!("0190a5a0-0000-7000-{variant:x}000-000000000001");
        assert_eq!(text.parse::<CommandId>().is_ok(), (8..=11).contains(&variant), "{text}");
    }
}

#[test]
fn ids_know_their_time() {
    assert_eq!(V7.parse::<CommandId>().unwrap().time().as_millis(), 0x0190_a5a0_0000);
    assert_eq!(CommandId::MIN.time(), Timestamp::from_millis(0));
}

#[test]
fn both_sides_compute_the_same_direct_conversation() {
    let user = |name: &str| name.parse::<UserId>().unwrap();
    let id = ConversationId::direct(&user("ann"), &user("bob"));
    assert_eq!(id, ConversationId::direct(&user("bob"), &user("ann")));
    assert!(id.is_direct());
    assert_eq!(id.to_string().parse(), Ok(id));
    // The lengths keep pairs apart that read the same when put together.
    assert_ne!(
        ConversationId::direct(&user("a"), &user("bc")),
        ConversationId::direct(&user("ab"), &user("c")),
    );
    // Published: clients of any version must compute this.
    assert_eq!(id.to_string(), "0d996707-5764-83d7-beb1-b5f48d4ca6dd");
}
