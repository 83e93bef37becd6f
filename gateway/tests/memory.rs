//! What an idle socket costs in heap, counted by an allocator over the whole process. The clients are
//! bare file descriptors, so that what is counted is the server's.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::large_futures, reason = "the client's handshake; a test has few of them")]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicIsize, Ordering},
};

use support::{Served, World, config, group};
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::Kind;

static LIVE: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be counted without implementing one")]
// SAFETY: every call goes to the system's allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let grown = size.cast_signed() - layout.size().cast_signed();
        LIVE.fetch_add(grown, Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Opens a socket and reads up to its first `heads`.
fn open(address: SocketAddr, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let handshake = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {name}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).unwrap();
    read_until(&mut stream, b"\r\n\r\n");
    let hello = br#"{"type":"hello"}"#;
    let mut frame = vec![0x81, 0x80 | 16, 0, 0, 0, 0];
    frame.extend_from_slice(hello);
    stream.write_all(&frame).unwrap();
    read_until(&mut stream, br#""more":false}"#);
    stream
}

fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
}

/// Heap bytes of each of so many sockets, whose users are in so many conversations.
async fn idle_cost(sockets: usize, conversations: u64) -> isize {
    let world = World::new(1);
    let bounds =
        GatewayConfig { sockets_per_user: 10_000, sockets_per_address: 10_000, ..config() };
    let served = Served::with(world.clone(), bounds).await;
    for number in 0..conversations {
        world.create(Kind::Group, group(&world, number), "ada", &[]);
    }
    served.delivered().await;
    let address = served.address;
    let opened = |count: usize| async move {
        tokio::task::spawn_blocking(move || {
            (0..count).map(|_| open(address, "ada")).collect::<Vec<_>>()
        })
        .await
        .unwrap()
    };
    let first = opened(64).await;
    served.until(|gateway| gateway.status().sockets == 64).await;
    let before = LIVE.load(Ordering::SeqCst);
    let more = opened(sockets).await;
    served.until(|gateway| gateway.status().sockets == 64 + sockets).await;
    // The HTTP side of the last ones ends in its own time.
    let mut cost = isize::MAX;
    for _ in 0..100 {
        cost = cost.min(LIVE.load(Ordering::SeqCst) - before);
        tokio::task::yield_now().await;
    }
    drop((first, more));
    cost / sockets.cast_signed()
}

#[tokio::test]
async fn an_idle_socket_is_small() {
    let alone = idle_cost(400, 0).await;
    let with_conversations = idle_cost(400, 100).await;
    println!("idle socket: {alone} bytes, in 100 conversations {with_conversations} bytes");
    assert!(alone <= 8 * 1024, "{alone} bytes");
    assert!(with_conversations - alone <= 100 * 40, "{with_conversations} bytes");
}
