//! What the codec costs in heap, counted by an allocator: nothing for a message that a read brought
//! whole, nothing for an idle socket, one allocation for a frame to any number of sockets.

use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::Write;
use std::task::{Context, Poll, Waker};

use verbatim_gateway::codec::{
    Codec, Decoder, Event, PING, Socket, TextFrame, encode_pong, poll_write_queue,
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread, so that tests do not disturb each other.
struct Counting;

fn count(allocations: usize, bytes: isize) {
    // A thread that ends may allocate when its counters are gone.
    let _counted = ALLOCATIONS.try_with(|counter| counter.set(counter.get() + allocations));
    let _counted = LIVE.try_with(|counter| counter.set(counter.get() + bytes));
}

#[expect(unsafe_code, reason = "an allocator cannot be counted without implementing one")]
// SAFETY: every call goes to the system's allocator with the caller's own arguments; counting uses
// thread-local cells without a destructor, and so does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size().cast_signed());
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -layout.size().cast_signed());
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller keeps to the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations that `run` makes, and bytes that it leaves.
fn measure<R>(run: impl FnOnce() -> R) -> (R, usize, isize) {
    let (allocations, live) = (ALLOCATIONS.get(), LIVE.get());
    let result = run();
    (result, ALLOCATIONS.get() - allocations, LIVE.get() - live)
}

/// A client's frame with a mask of zeros, so that the payload lies in it as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length @ ..=125) => frame.push(0x80 | length),
        _ => {
            frame.push(0xfe);
            frame.extend(u16::try_from(payload.len()).expect("a short payload").to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn count_events(decoder: &mut Decoder, mut input: &mut [u8]) -> usize {
    let mut events = 0;
    while decoder.decode(&mut input).expect("valid frames").is_some() {
        events += 1;
    }
    events
}

#[test]
fn whole_messages_are_decoded_without_an_allocation() {
    let mut decoder = Decoder::default();
    let mut bytes = [
        frame(0x81, br#"{"type":"send"}"#),
        frame(0x81, &[b'x'; 60_000]),
        frame(0x89, b"ping"),
        frame(0x8a, b"pong"),
        frame(0x81, b""),
        frame(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    let (events, allocations, live) = measure(|| count_events(&mut decoder, &mut bytes));
    assert_eq!((events, allocations, live), (6, 0, 0));
}

#[test]
fn an_idle_decoder_holds_no_heap() {
    assert!(size_of::<Decoder>() <= 24, "{}", size_of::<Decoder>());
    let whole = frame(0x81, &[b'x'; 1000]);
    let fragments = [frame(0x01, b"a"), frame(0x89, b"p"), frame(0x80, b"b")].concat();
    let mut decoders: Vec<Decoder> = (0..100).map(|_| Decoder::default()).collect();
    let ((), allocations, live) = measure(|| {
        for (cut, decoder) in decoders.iter_mut().enumerate() {
            for bytes in [&whole, &fragments] {
                let (mut first, mut second) = (bytes.clone(), Vec::new());
                second.extend(first.drain(first.len().min(cut + 1)..));
                count_events(decoder, &mut first);
                count_events(decoder, &mut second);
            }
        }
    });
    assert!(allocations > 0, "cut messages are buffered");
    assert_eq!(live, 0, "and nothing is kept behind them");
}

#[test]
fn a_cut_message_costs_what_has_arrived_and_is_freed_with_its_event() {
    let mut decoder = Decoder::default();
    let mut bytes = frame(0x81, &[b'x'; 60_000]);
    let (first, second) = bytes.split_at_mut(1000);
    let (_, _, live) = measure(|| count_events(&mut decoder, first));
    assert!((1..1500).contains(&live), "{live}");
    let mut second = second;
    let (owned, _, freed) = measure(|| {
        let Ok(Some(Event::Text(Cow::Owned(text)))) = decoder.decode(&mut second) else {
            panic!("no text")
        };
        text.len()
    });
    assert_eq!((owned, freed), (60_000, -live));
}

#[test]
fn an_idle_socket_holds_no_heap_and_reads_without_an_allocation() {
    let bytes = frame(0x81, b"{}").repeat(3);
    let mut context = Context::from_waker(Waker::noop());
    // The thread's read buffer is made once.
    let _eof = Socket::<&[u8]>::new(&[], Decoder::default(), [])
        .poll_events(&mut context, |_| std::ops::ControlFlow::Continue(()));
    let (events, allocations, live) = measure(|| {
        let mut socket: Socket<&[u8]> = Socket::new(&bytes, Decoder::default(), []);
        let mut events = 0;
        let read = socket.poll_events(&mut context, |_| {
            events += 1;
            std::ops::ControlFlow::Continue(())
        });
        assert!(matches!(read, Poll::Ready(Ok(_))));
        events
    });
    assert_eq!((events, allocations, live), (3, 0, 0));
}

#[test]
fn one_frame_is_shared_by_all_its_receivers() {
    let (frame, allocations, _) = measure(|| {
        let mut frame = TextFrame::with_capacity(32);
        frame.write_all(br#"{"type":"entry"}"#).unwrap();
        frame.finish()
    });
    assert!(allocations <= 2, "the bytes and their counter, not {allocations}");
    let (_, allocations, _) = measure(|| [frame.clone(), frame.clone()].map(drop));
    assert!(allocations <= 1);
    let (_, allocations, _) = measure(|| (PING, encode_pong(b"")));
    assert_eq!(allocations, 0);
}

#[test]
fn writing_allocates_nothing_and_a_drained_queue_is_freed() {
    let mut stream = Vec::with_capacity(100);
    let (mut queue, mut offset) = (VecDeque::new(), 0);
    let (_, _, live) = measure(|| queue.extend([PING; 10]));
    let mut context = Context::from_waker(Waker::noop());
    let (written, allocations, freed) =
        measure(|| poll_write_queue(&mut context, &mut stream, &mut queue, &mut offset).unwrap());
    assert_eq!((written.bytes, written.done, allocations), (20, true, 0));
    assert_eq!(freed, -live);
}
