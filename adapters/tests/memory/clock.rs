//! The clock and randomness.

use std::sync::atomic::{AtomicU8, Ordering};

use verbatim_adapters::embedded::clock::{SystemClock, SystemEntropy};
use verbatim_ports::{
    clock::{Clock, Entropy},
    contract::clock::clock_contract,
};
use verbatim_schemas::Timestamp;

#[test]
fn keeps_the_contract() {
    clock_contract(&SystemClock, &SystemEntropy).unwrap();
}

struct At(u64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }
}

/// Fills with what a function makes of a random byte and its place.
struct Broken(fn(u8, usize, u8) -> u8, AtomicU8);

impl Entropy for Broken {
    fn fill(&self, bytes: &mut [u8]) {
        SystemEntropy.fill(bytes);
        let count = self.1.fetch_add(1, Ordering::Relaxed);
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = (self.0)(*byte, place, count);
        }
    }
}

fn broken(fill: fn(u8, usize, u8) -> u8) -> Broken {
    Broken(fill, AtomicU8::new(0))
}

#[test]
fn the_contract_refuses_broken_ones() {
    let refused = |clock: &dyn Clock, entropy: &dyn Entropy| {
        clock_contract(clock, entropy).expect_err("the suite passed").promise
    };
    assert_eq!(refused(&At(0), &SystemEntropy), "the time of day");
    assert_eq!(refused(&SystemClock, &broken(|_, _, _| 0)), "different each time");
    assert_eq!(refused(&SystemClock, &broken(|_, _, count| count)), "different each time");
    let half = |byte, place, _| if place < 8 { byte } else { 0 };
    assert_eq!(refused(&SystemClock, &broken(half)), "every bit is random");
    assert_eq!(refused(&SystemClock, &broken(|byte, _, _| byte | 1)), "every bit is random");
}
