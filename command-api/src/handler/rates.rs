//! How often each user may do something: the generic cell rate algorithm (ITU-T I.371), one number a
//! user. What was taken can be given back.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Mutex,
};

use verbatim_schemas::{Code, Problem, Timestamp, UserId};

use super::locked;
use crate::config::Rate;

/// So that users rarely wait for each other.
const SHARDS: usize = 16;
/// A shard is swept when it has grown to twice what the last sweep left, and not below this.
const SWEEP_FROM: usize = 256;
/// A full shard is swept at most this often, in microseconds.
const SWEEP_PAUSE: u64 = 1_000_000;

/// One rate for every user.
pub(crate) struct Rates {
    /// What one costs, in microseconds.
    cost: u64,
    /// What a rested user has, in microseconds.
    depth: u64,
    keys: usize,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    /// When each user is rested again, in microseconds since 1970; who is rested need not be here.
    rested: HashMap<UserId, u64>,
    sweep_at: usize,
    swept: u64,
}

impl Rates {
    /// A rate that remembers up to `users` at a time.
    pub(crate) fn new(rate: Rate, users: usize) -> Self {
        let cost = u64::try_from(rate.every.as_micros()).unwrap_or(u64::MAX).max(1);
        Self {
            cost,
            depth: cost.saturating_mul(u64::from(rate.burst.max(1))),
            keys: users.div_ceil(SHARDS),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Takes one, or says when there is one again.
    pub(crate) fn take(&self, user: &UserId, now: Timestamp) -> Result<(), Problem> {
        let now = micros(now);
        let mut shard = locked(self.shard(user));
        let rested = self.rested(&mut shard, user, now).saturating_add(self.cost);
        let over = rested.saturating_sub(now.saturating_add(self.depth));
        if over > 0 {
            return Err(Problem::new(Code::RateLimited).retry_after_ms(over.div_ceil(1_000)));
        }
        if !shard.has_room(user, now, self.keys) {
            return Err(Problem::new(Code::Unavailable).retry_after_ms(SWEEP_PAUSE / 1_000));
        }
        shard.rested.insert(user.clone(), rested);
        Ok(())
    }

    /// Takes one from whoever has none left, too: for what turned out to cost.
    pub(crate) fn take_late(&self, user: &UserId, now: Timestamp) {
        let now = micros(now);
        let mut shard = locked(self.shard(user));
        let most = now.saturating_add(self.depth);
        let rested = self.rested(&mut shard, user, now).saturating_add(self.cost).min(most);
        if shard.has_room(user, now, self.keys) {
            shard.rested.insert(user.clone(), rested);
        }
    }

    /// Gives one back.
    pub(crate) fn give_back(&self, user: &UserId) {
        if let Some(rested) = locked(self.shard(user)).rested.get_mut(user) {
            *rested = rested.saturating_sub(self.cost);
        }
    }

    /// A clock that jumped back must not keep users waiting for longer than a whole burst takes, so
    /// what lies beyond that is cut off for good.
    fn rested(&self, shard: &mut Shard, user: &UserId, now: u64) -> u64 {
        let Some(rested) = shard.rested.get_mut(user) else { return now };
        *rested = (*rested).min(now.saturating_add(self.depth));
        now.max(*rested)
    }

    fn shard(&self, user: &UserId) -> &Mutex<Shard> {
        let index = self.hasher.hash_one(user) % SHARDS as u64;
        &self.shards[usize::try_from(index).unwrap_or_default()]
    }
}

impl Shard {
    /// Whether the user is remembered or can be; forgets those who are rested, now and then.
    fn has_room(&mut self, user: &UserId, now: u64, keys: usize) -> bool {
        let full = self.rested.len() >= keys;
        let grown = self.rested.len() >= self.sweep_at.max(SWEEP_FROM);
        if grown || (full && now.saturating_sub(self.swept) >= SWEEP_PAUSE) {
            self.rested.retain(|_, rested| *rested > now);
            self.sweep_at = 2 * self.rested.len();
            self.swept = now;
        }
        self.rested.len() < keys || self.rested.contains_key(user)
    }
}

fn micros(time: Timestamp) -> u64 {
    time.as_millis().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: u64 = 1_800_000_000_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(NOON + millis)
    }

    fn user(name: &str) -> UserId {
        name.parse().unwrap()
    }

    fn rates(every_ms: u64, burst: u32) -> Rates {
        Rates::new(Rate { every: Duration::from_millis(every_ms), burst }, 1_000_000)
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let (rates, ann) = (rates(50, 3), user("ann"));
        for _ in 0..3 {
            rates.take(&ann, at(0)).unwrap();
        }
        let refused = rates.take(&ann, at(0)).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_ms), (Code::RateLimited, Some(50)));
        assert!(rates.take(&ann, at(49)).is_err());
        rates.take(&ann, at(50)).unwrap();
        assert!(rates.take(&ann, at(50)).is_err());
        rates.take(&user("bob"), at(50)).unwrap();
        for _ in 0..3 {
            rates.take(&ann, at(50 + 3 * 50)).unwrap();
        }
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (rates, ann) = (rates(60_000, 2), user("ann"));
        rates.give_back(&ann);
        rates.take(&ann, at(0)).unwrap();
        rates.take(&ann, at(0)).unwrap();
        rates.give_back(&ann);
        rates.take(&ann, at(0)).unwrap();
        assert!(rates.take(&ann, at(0)).is_err());
        // Giving back never makes more than a whole burst.
        for _ in 0..9 {
            rates.give_back(&ann);
        }
        rates.take(&ann, at(0)).unwrap();
        rates.take(&ann, at(0)).unwrap();
        assert!(rates.take(&ann, at(0)).is_err());
    }

    #[test]
    fn what_is_taken_late_never_makes_a_debt() {
        let (rates, ann) = (rates(1_000, 2), user("ann"));
        for _ in 0..9 {
            rates.take_late(&ann, at(0));
        }
        assert!(rates.take(&ann, at(0)).is_err());
        rates.take(&ann, at(1_000)).unwrap();
    }

    #[test]
    fn a_clock_that_jumps_back_costs_no_more_than_a_burst() {
        let (rates, ann) = (rates(1_000, 2), user("ann"));
        rates.take(&ann, at(3_600_000)).unwrap();
        assert!(rates.take(&ann, at(0)).is_err());
        rates.take(&ann, at(1_000)).unwrap();
    }

    #[test]
    fn rested_users_are_forgotten_and_a_full_table_says_so() {
        let few = Rates::new(Rate { every: Duration::from_secs(1), burst: 1 }, 64);
        let taken =
            (0..10_000).filter(|n| few.take(&user(&format!("u{n}")), at(0)).is_ok()).count();
        assert!(taken <= 64, "{taken}");
        let refused =
            (0..100).filter_map(|n| few.take(&user(&format!("v{n}")), at(0)).err()).next().unwrap();
        assert_eq!(refused.code, Code::Unavailable);
        few.take(&user("late"), at(2_000)).unwrap();

        let many = rates(10, 1);
        for n in 0..100_000 {
            many.take(&user(&format!("u{n}")), at(n)).unwrap();
        }
        let kept: usize = many.shards.iter().map(|shard| locked(shard).rested.len()).sum();
        assert!(kept <= 2 * SWEEP_FROM * SHARDS, "{kept}");
    }
}
