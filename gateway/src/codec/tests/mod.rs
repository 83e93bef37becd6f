//! Tests of the codec as a whole; `rules` one rule each, `properties` for all inputs, `interop`
//! against another implementation over real sockets.

mod interop;
mod properties;
mod rules;

use std::borrow::Cow;

use super::{Codec, DecodeError, Decoder, Event};

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
const FIN: u8 = 0x80;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Feeds `bytes` in reads of the given sizes (the last one repeats), and collects the events.
fn feed(
    decoder: &mut Decoder,
    bytes: &[u8],
    reads: &[usize],
) -> (Vec<Event<'static>>, Result<(), DecodeError>) {
    let mut events = Vec::new();
    let mut rest = bytes;
    let mut reads = reads.iter().copied();
    let mut size = usize::MAX;
    while !rest.is_empty() {
        size = reads.next().unwrap_or(size).max(1);
        let (read, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        let mut buffer = read.to_vec();
        let mut input = &mut buffer[..];
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(event)) => events.push(owned(event)),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
        assert!(input.is_empty(), "all of the input is taken");
    }
    (events, Ok(()))
}

fn owned(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Text(text) => Event::Text(Cow::Owned(text.into_owned())),
        Event::Ping(payload) => Event::Ping(Cow::Owned(payload.into_owned())),
        Event::Pong => Event::Pong,
        Event::Close { code, reason } => {
            Event::Close { code, reason: Cow::Owned(reason.into_owned()) }
        }
    }
}

fn text(text: &str) -> Event<'static> {
    Event::Text(Cow::Owned(text.to_owned()))
}

fn ping(payload: &[u8]) -> Event<'static> {
    Event::Ping(Cow::Owned(payload.to_vec()))
}
