use std::cell::Cell;

/// The size of a thread's read buffer, and so the most that one read takes: a message that is not
/// longer is mostly decoded without a copy.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's read buffer to `read`; all sockets of the thread share it, one after another.
///
/// It is made on the first use. A nested call gets a buffer of its own for the time.
pub(super) fn with_read_buffer<R>(read: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = BUFFER.take();
    if buffer.is_empty() {
        buffer = vec![0; READ_BUFFER_BYTES];
    }
    let result = read(&mut buffer);
    BUFFER.set(buffer);
    result
}
