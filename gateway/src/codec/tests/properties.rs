use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof,
};
use proptest::proptest;

use super::super::{Codec, Decoder, Event, Limits};
use super::{CONTINUATION, FIN, PING, PONG, TEXT, feed, frame, ping, text};

/// What a decoder may hold besides the payload: its record of what is pending.
const OVERHEAD: usize = 512;

/// A message, the places where it is cut into fragments, and control frames between them.
#[derive(Clone, Debug)]
struct Message {
    text: String,
    cuts: Vec<usize>,
    pings: Vec<Option<Vec<u8>>>,
}

fn message() -> impl Strategy<Value = Message> {
    let content = prop_oneof![
        4 => "\\PC{0,40}",
        1 => "[a-zäß€𝄞]{100,400}",
        1 => (65_500_usize..65_600).prop_map(|length| "y".repeat(length)),
    ];
    let pings = vec(prop_oneof![2 => Just(None), 1 => vec(any::<u8>(), 0..=125).prop_map(Some)], 8);
    (content, vec(any::<usize>(), 0..8), pings).prop_map(|(text, cuts, pings)| Message {
        text,
        cuts,
        pings,
    })
}

impl Message {
    /// Its frames, and the events that they mean.
    fn encode(&self, bytes: &mut Vec<u8>, events: &mut Vec<Event<'static>>) {
        let payload = self.text.as_bytes();
        let mut cuts: Vec<usize> = self.cuts.iter().map(|cut| cut % (payload.len() + 1)).collect();
        cuts.sort_unstable();
        let mut start = 0;
        for (index, cut) in cuts.iter().chain([&payload.len()]).enumerate() {
            let opcode = if index == 0 { TEXT } else { CONTINUATION };
            let fin = if index == cuts.len() { FIN } else { 0 };
            bytes.extend(frame(fin | opcode, &payload[start..*cut]));
            start = *cut;
            if fin == 0
                && let Some(Some(payload)) = self.pings.get(index)
            {
                bytes.extend(frame(FIN | PING, payload));
                events.push(ping(payload));
                bytes.extend(frame(FIN | PONG, payload));
                events.push(Event::Pong);
            }
        }
        events.push(text(&self.text));
    }
}

/// Frames that are nearly right, so that random bytes get beyond the first header.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        Just(FIN | TEXT),
        Just(TEXT),
        Just(CONTINUATION),
        Just(FIN | CONTINUATION),
        Just(FIN | PING),
        any::<u8>(),
    ];
    let framed =
        (first, vec(any::<u8>(), 0..200)).prop_map(|(first, payload)| frame(first, &payload));
    prop_oneof![6 => framed, 1 => vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_fragments_and_reads_decode_the_same(
        messages in vec(message(), 1..5),
        reads in vec(prop_oneof![1_usize..20, 1_usize..5000], 1..40),
    ) {
        let (mut bytes, mut events) = (Vec::new(), Vec::new());
        for message in &messages {
            message.encode(&mut bytes, &mut events);
        }
        for reads in [&reads[..], &[]] {
            let mut decoder = Decoder::default();
            let (decoded, result) = feed(&mut decoder, &bytes, reads);
            prop_assert_eq!(result, Ok(()));
            prop_assert!(decoded == events);
            prop_assert_eq!(decoder.buffered(), 0);
        }
    }

    #[test]
    fn any_bytes_are_survived_within_the_bound(
        frames in vec(nearly(), 0..20),
        message_bytes in 0_u32..1000,
        fragments in 0_u16..8,
        read in 1_usize..64,
    ) {
        let limits = Limits { message_bytes, fragments };
        let bytes = frames.concat();
        let at_once = feed(&mut Decoder::new(limits), &bytes, &[]);
        let mut decoder = Decoder::new(limits);
        let (mut events, mut result) = (Vec::new(), Ok(()));
        for read in bytes.chunks(read) {
            let (more, ended) = feed(&mut decoder, read, &[]);
            events.extend(more);
            result = result.and(ended);
            prop_assert!(decoder.buffered() <= message_bytes as usize + OVERHEAD);
        }
        prop_assert_eq!((events, result), at_once);
    }
}
