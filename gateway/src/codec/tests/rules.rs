use std::borrow::Cow;

use super::super::{CloseCode, Codec, DecodeError, Decoder, Event, Limits};
use super::{CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, feed, frame, ping, text};

/// The events of `frames`, whether read at once, byte by byte or in threes.
fn decode(frames: &[Vec<u8>]) -> (Vec<Event<'static>>, Result<(), DecodeError>) {
    decode_within(Limits::default(), frames)
}

fn decode_within(
    limits: Limits,
    frames: &[Vec<u8>],
) -> (Vec<Event<'static>>, Result<(), DecodeError>) {
    let bytes = frames.concat();
    let at_once = feed(&mut Decoder::new(limits), &bytes, &[]);
    for read in [1, 3] {
        assert_eq!(feed(&mut Decoder::new(limits), &bytes, &[read]), at_once);
    }
    at_once
}

fn accepted(frames: &[Vec<u8>]) -> Vec<Event<'static>> {
    let (events, result) = decode(frames);
    assert_eq!(result, Ok(()));
    events
}

#[track_caller]
fn refused(frames: &[Vec<u8>], error: DecodeError, code: u16) {
    let (events, result) = decode(frames);
    assert_eq!((events, result), (vec![], Err(error)));
    assert_eq!(error.close_code().get(), code);
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(accepted(&[hello]), [text("Hello")]);
    let ping_hello = vec![0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(accepted(&[ping_hello]), [ping(b"Hello")]);
}

#[test]
fn messages_follow_each_other() {
    let frames = ["", "a", "Käse", "{}"].map(|one| frame(FIN | TEXT, one.as_bytes()));
    assert_eq!(accepted(&frames), [text(""), text("a"), text("Käse"), text("{}")]);
}

#[test]
fn fragments_make_one_message_and_control_frames_may_lie_between() {
    // The cut goes through a character.
    let kase = "Käse".as_bytes();
    let events = accepted(&[
        frame(TEXT, &kase[..2]),
        frame(FIN | PING, b"p"),
        frame(CONTINUATION, b""),
        frame(FIN | PONG, b"whatever"),
        frame(FIN | CONTINUATION, &kase[2..]),
        frame(FIN | TEXT, b"next"),
    ]);
    assert_eq!(events, [ping(b"p"), Event::Pong, text("Käse"), text("next")]);
}

#[test]
fn empty_fragments_are_fragments() {
    let first_empty = [frame(TEXT, b""), frame(CONTINUATION, b""), frame(FIN | CONTINUATION, b"a")];
    assert_eq!(accepted(&first_empty), [text("a")]);
    let all_empty = [frame(TEXT, b""), frame(FIN | CONTINUATION, b""), frame(FIN | TEXT, b"b")];
    assert_eq!(accepted(&all_empty), [text(""), text("b")]);
}

#[test]
fn continuations_need_a_message_and_messages_do_not_overlap() {
    let stray = [frame(FIN | CONTINUATION, b"a")];
    refused(&stray, DecodeError::UnexpectedContinuation, 1002);
    refused(&[frame(CONTINUATION, b"a")], DecodeError::UnexpectedContinuation, 1002);
    let overlap = [frame(TEXT, b"a"), frame(FIN | TEXT, b"b")];
    refused(&overlap, DecodeError::MessageInterrupted, 1002);
    let (events, result) = decode(&[frame(FIN | TEXT, b"a"), frame(FIN | CONTINUATION, b"b")]);
    assert_eq!((events, result), (vec![text("a")], Err(DecodeError::UnexpectedContinuation)));
}

#[test]
fn wrong_headers_are_refused_with_1002_and_binary_with_1003() {
    refused(&[vec![0x81, 0x01, b'a']], DecodeError::Unmasked, 1002);
    refused(&[frame(FIN | 0x40 | TEXT, b"a")], DecodeError::ReservedBits, 1002);
    refused(&[frame(FIN | 0x3, b"a")], DecodeError::ReservedOpcode(3), 1002);
    refused(&[frame(PING, b"a")], DecodeError::ControlFragmented, 1002);
    refused(&[frame(FIN | PING, &[0; 126])], DecodeError::ControlTooLong, 1002);
    refused(&[frame(FIN | CLOSE, &[0; 126])], DecodeError::ControlTooLong, 1002);
    let long = vec![0x81, 0xfe, 0, 1, 0, 0, 0, 0, b'a'];
    refused(&[long], DecodeError::LengthEncoding, 1002);
    refused(&[frame(FIN | 0x2, b"a")], DecodeError::Binary, 1003);
}

#[test]
fn a_message_is_bounded_before_its_payload_is_kept() {
    let limits = Limits { message_bytes: 10, fragments: 64 };
    let too_large = Err(DecodeError::MessageTooLarge { limit: 10 });
    let fits = decode_within(limits, &[frame(FIN | TEXT, b"0123456789")]);
    assert_eq!(fits, (vec![text("0123456789")], Ok(())));
    // The header alone is enough.
    let header = frame(FIN | TEXT, &[b'x'; 11])[..6].to_vec();
    assert_eq!(decode_within(limits, &[header]), (vec![], too_large));
    let huge = vec![0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4];
    assert_eq!(decode_within(limits, &[huge]), (vec![], too_large));
    let pieces = [frame(TEXT, b"01234567"), frame(FIN | CONTINUATION, b"89a")];
    assert_eq!(decode_within(limits, &pieces), (vec![], too_large));
    let control = [frame(TEXT, b"012345678"), frame(FIN | PING, &[1; 125])];
    assert_eq!(decode_within(limits, &control), (vec![ping(&[1; 125])], Ok(())));
    assert_eq!(DecodeError::MessageTooLarge { limit: 10 }.close_code(), CloseCode::TOO_LARGE);
}

#[test]
fn the_default_bound_is_128_kib() {
    let most = "x".repeat(128 * 1024);
    let bytes = frame(FIN | TEXT, most.as_bytes());
    for reads in [&[][..], &[16 * 1024], &[5, 1000]] {
        let mut decoder = Decoder::default();
        assert_eq!(feed(&mut decoder, &bytes, reads), (vec![text(&most)], Ok(())));
        assert_eq!(decoder.buffered(), 0);
    }
    let over = frame(FIN | TEXT, &[b'x'; 128 * 1024 + 1]);
    refused(&[over], DecodeError::MessageTooLarge { limit: 128 * 1024 }, 1009);
}

#[test]
fn a_message_has_at_most_64_fragments() {
    let mut frames = vec![frame(TEXT, b"a")];
    frames.extend(vec![frame(CONTINUATION, b""); 62]);
    let mut enough = frames.clone();
    enough.push(frame(FIN | CONTINUATION, b"b"));
    assert_eq!(accepted(&[enough.clone(), enough].concat()), [text("ab"), text("ab")]);
    frames.push(frame(CONTINUATION, b""));
    frames.push(frame(FIN | CONTINUATION, b"b"));
    refused(&frames, DecodeError::TooManyFragments { limit: 64 }, 1009);
}

#[test]
fn text_is_utf_8_as_a_whole() {
    for wrong in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
        refused(&[frame(FIN | TEXT, wrong)], DecodeError::NotUtf8, 1007);
        let pieces = [frame(TEXT, &wrong[..1]), frame(FIN | CONTINUATION, &wrong[1..])];
        refused(&pieces, DecodeError::NotUtf8, 1007);
    }
}

#[test]
fn a_close_has_a_valid_code_and_reason_or_nothing() {
    let close = |body: &[u8]| frame(FIN | CLOSE, body);
    let nothing = Event::Close { code: None, reason: Cow::Borrowed("") };
    assert_eq!(accepted(&[close(b"")]), [nothing]);
    for (code, reason) in [
        (CloseCode::NORMAL, ""),
        (CloseCode::GOING_AWAY, "bye"),
        (CloseCode::new(3000).unwrap(), "Käse"),
        (CloseCode::new(4999).unwrap(), &"x".repeat(123)),
    ] {
        let body = [&code.get().to_be_bytes(), reason.as_bytes()].concat();
        let event = Event::Close { code: Some(code), reason: Cow::Borrowed(reason) };
        assert_eq!(accepted(&[close(&body)]), [event]);
    }
    refused(&[close(b"\x03")], DecodeError::CloseTruncated, 1002);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        refused(&[close(&code.to_be_bytes())], DecodeError::CloseCode(code), 1002);
    }
    refused(&[close(b"\x03\xe8\xff")], DecodeError::NotUtf8, 1007);
}

#[test]
fn nothing_is_read_after_a_close_or_an_error() {
    let (events, result) =
        decode(&[frame(FIN | CLOSE, b""), frame(FIN | TEXT, b"late"), vec![0xff; 9]]);
    assert_eq!((events.len(), result), (1, Ok(())));

    let mut decoder = Decoder::default();
    let cut = [frame(TEXT, b"abc"), frame(FIN | 0x2, b"")].concat();
    assert_eq!(feed(&mut decoder, &cut, &[]), (vec![], Err(DecodeError::Binary)));
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(feed(&mut decoder, &frame(FIN | TEXT, b"late"), &[]), (vec![], Ok(())));
}

#[test]
fn a_whole_message_is_borrowed_and_a_cut_one_frees_its_buffer() {
    let mut decoder = Decoder::default();
    let mut buffer = [frame(FIN | TEXT, b"one"), frame(FIN | PING, b"two")].concat();
    let mut input = &mut buffer[..];
    assert!(matches!(decoder.decode(&mut input), Ok(Some(Event::Text(Cow::Borrowed("one"))))));
    assert!(matches!(decoder.decode(&mut input), Ok(Some(Event::Ping(Cow::Borrowed(b"two"))))));
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert_eq!(decoder.buffered(), 0);

    let bytes = frame(FIN | TEXT, b"three");
    for cut in 1..bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(feed(&mut decoder, first, &[]), (vec![], Ok(())));
        assert!(decoder.buffered() > 0);
        assert_eq!(feed(&mut decoder, second, &[]), (vec![text("three")], Ok(())));
        assert_eq!(decoder.buffered(), 0);
    }
}

#[test]
fn memory_follows_what_arrives_and_not_what_is_claimed() {
    let mut decoder = Decoder::default();
    let claim = frame(FIN | TEXT, &[b'x'; 128 * 1024]);
    assert_eq!(feed(&mut decoder, &claim[..20], &[]), (vec![], Ok(())));
    assert!(decoder.buffered() < 512, "{}", decoder.buffered());
}
