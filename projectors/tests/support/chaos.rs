//! What goes wrong in a process, decided by a seed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What happens to an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Done,
    Doubled,
    Refused,
    Lost,
    LostAnswer,
    Prefix,
    Suffix,
    Late,
}

/// One process's bad luck. Each operation takes steps before and after its effect; at a step the
/// process may be frozen for ever (killed) or for a while.
pub struct Chaos {
    random: Mutex<Random>,
    /// In thousandths.
    failures: AtomicU64,
    steps: AtomicU64,
    freeze_at: AtomicU64,
    frozen: watch::Sender<bool>,
    pub froze: Notify,
    fates: Mutex<Vec<Fate>>,
}

impl Chaos {
    pub fn new(seed: u64, failures: u64) -> Arc<Self> {
        Arc::new(Self {
            random: Mutex::new(Random::new(seed)),
            failures: AtomicU64::new(failures),
            steps: AtomicU64::new(0),
            freeze_at: AtomicU64::new(u64::MAX),
            frozen: watch::Sender::new(false),
            froze: Notify::new(),
            fates: Mutex::default(),
        })
    }

    pub fn calm() -> Arc<Self> {
        Self::new(0, 0)
    }

    /// Freezes the process at its `step`th step.
    pub fn freeze_at(&self, step: u64) {
        self.freeze_at.store(step, Ordering::SeqCst);
    }

    pub fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    pub fn thaw(&self) {
        self.frozen.send_replace(false);
    }

    /// The next appends to the timeline go as given.
    pub fn script(&self, fates: &[Fate]) {
        *self.fates.lock().unwrap() = fates.iter().rev().copied().collect();
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap().below(bound)
    }

    /// From now on so many operations of a thousand fail.
    pub fn sicken(&self, failures: u64) {
        self.failures.store(failures, Ordering::SeqCst);
    }

    pub fn heal(&self) {
        self.sicken(0);
    }

    pub fn fails(&self) -> bool {
        let failures = self.failures.load(Ordering::SeqCst);
        failures > 0 && self.below(1_000) < failures
    }

    pub fn fate(&self) -> Fate {
        if let Some(fate) = self.fates.lock().unwrap().pop() {
            return fate;
        }
        if !self.fails() {
            return Fate::Done;
        }
        [
            Fate::Doubled,
            Fate::Refused,
            Fate::Lost,
            Fate::LostAnswer,
            Fate::Prefix,
            Fate::Suffix,
            Fate::Late,
        ][usize::try_from(self.below(7)).unwrap()]
    }

    /// One step: others may get their turn, and the process may be frozen.
    pub async fn step(&self) {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        if step == self.freeze_at.load(Ordering::SeqCst) {
            self.frozen.send_replace(true);
            self.froze.notify_one();
        }
        if self.failures.load(Ordering::SeqCst) > 0 {
            match self.below(8) {
                0 => tokio::time::sleep(Duration::from_millis(1 + self.below(30))).await,
                1 | 2 => tokio::task::yield_now().await,
                _ => {}
            }
        }
        let mut frozen = self.frozen.subscribe();
        let thawed = frozen.wait_for(|frozen| !frozen).await.is_ok();
        assert!(thawed, "the sender lives as long as self");
    }
}
