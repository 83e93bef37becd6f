use proptest::prelude::*;

use super::*;

fn position() -> impl Strategy<Value = Position> {
    let offsets = prop::collection::btree_map(any::<u32>(), any::<u64>(), 0..40);
    (any::<u32>(), offsets).prop_map(|(generation, offsets)| Position { generation, offsets })
}

fn token_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

proptest! {
    #[test]
    fn tokens_come_back_as_they_were_given(position in position()) {
        let token = position.token();
        prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        prop_assert_eq!(Position::parse(&token), Ok(position));
    }

    #[test]
    fn any_text_is_a_token_or_is_refused(text in ".{0,64}") {
        let _ = Position::parse(&text);
    }

    #[test]
    fn any_bytes_are_a_token_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        if let Ok(position) = Position::parse(&token_of(&bytes)) {
            prop_assert!(position.offsets.len() <= bytes.len() / 2);
        }
    }

    #[test]
    fn merging_covers_both(one in position(), other in position()) {
        let mut both = one.clone();
        both.merge(&other);
        prop_assert!(both.covers(&one) && both.covers(&other));
        let again = both.clone();
        both.merge(&one);
        prop_assert_eq!(both, again);
    }
}

#[test]
fn forged_tokens_are_refused() {
    let forged = [
        (&[][..], "nothing"),
        (&[2, 0], "another version"),
        (&[1], "no generation"),
        (&[1, 0, 5], "a partition without an offset"),
        (&[1, 0, 5, 1, 5, 2], "a partition twice"),
        (&[1, 0, 5, 0x80], "a number that breaks off"),
        (&[1, 0xff, 0xff, 0xff, 0xff, 0x1f], "a generation beyond 32 bits"),
        (&[1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], "beyond 64 bits"),
    ];
    for (bytes, why) in forged {
        assert_eq!(Position::parse(&token_of(bytes)), Err(BadPosition), "{why}");
    }
    for text in ["", "=", "AQA=", "AQ A", "é", &"A".repeat(1_025)] {
        assert_eq!(Position::parse(text), Err(BadPosition), "{text}");
    }
}

#[test]
fn a_token_of_64_partitions_fits() {
    let offsets = (0..64).map(|partition| (partition, 1 << 48)).collect();
    let token = Position { generation: 1, offsets }.token();
    assert!(token.len() <= bounds::POSITION_BYTES, "{} bytes", token.len());
}

#[test]
fn an_empty_position_covers_only_itself() {
    let (empty, some) =
        (Position::default(), Position::at(Src { generation: 0, partition: 0, offset: 0 }));
    assert!(empty.covers(&empty) && some.covers(&empty) && !empty.covers(&some));
    assert!(some.includes(Src { generation: 0, partition: 0, offset: 0 }));
    assert_eq!(some.only(1), empty);
}
