//! Counting allocations of unit tests.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread, so that tests do not disturb each other.
struct Counting;

fn count() {
    // A thread that ends may allocate when its counter is gone.
    let _counted = ALLOCATIONS.try_with(|counter| counter.set(counter.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator cannot be counted without implementing one")]
// SAFETY: every call goes to the system's allocator with the caller's own arguments; counting uses
// a thread-local cell without a destructor, and so does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` allocates on this thread.
pub(crate) fn allocations<R>(run: impl FnOnce() -> R) -> (R, usize) {
    let before = ALLOCATIONS.get();
    let result = run();
    (result, ALLOCATIONS.get() - before)
}
