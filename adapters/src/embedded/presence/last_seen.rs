//! When users were last seen, as far as it has to be written or was a moment ago.

use std::collections::HashMap;

use verbatim_schemas::{Timestamp, UserId};

/// At most so often a user's row is written, in milliseconds.
pub(super) const EVERY_MS: u64 = 60_000;

/// Bounded by the users who came or left within a minute, or since the last write that succeeded.
#[derive(Default)]
pub(super) struct LastSeen {
    users: HashMap<UserId, Recent>,
}

/// What a row has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) online: bool,
}

struct Recent {
    seen: Seen,
    pending: bool,
    written_at: Option<Timestamp>,
}

impl LastSeen {
    pub(super) fn came(&mut self, user: &UserId, at: Timestamp) {
        self.set(user, Seen { at, online: true });
    }

    pub(super) fn left(&mut self, user: &UserId, at: Timestamp) {
        self.set(user, Seen { at, online: false });
    }

    fn set(&mut self, user: &UserId, seen: Seen) {
        match self.users.get_mut(user) {
            Some(recent) => {
                let at = recent.seen.at.max(seen.at);
                (recent.seen, recent.pending) = (Seen { at, ..seen }, true);
            }
            None => {
                let recent = Recent { seen, pending: true, written_at: None };
                self.users.insert(user.clone(), recent);
            }
        }
    }

    /// When the user came or left last, where that is remembered.
    pub(super) fn at(&self, user: &UserId) -> Option<Timestamp> {
        self.users.get(user).map(|recent| recent.seen.at)
    }

    /// What is to be written now, or, with `all`, would be later.
    pub(super) fn due(&mut self, now: Timestamp, all: bool) -> Vec<(UserId, Seen)> {
        self.users.retain(|_, recent| recent.pending || !recent.may_be_written(now));
        let due = self
            .users
            .iter()
            .filter(|(_, recent)| recent.pending && (all || recent.may_be_written(now)));
        due.map(|(user, recent)| (user.clone(), recent.seen)).collect()
    }

    /// These rows were written.
    pub(super) fn written(&mut self, rows: &[(UserId, Seen)], now: Timestamp) {
        for (user, seen) in rows {
            if let Some(recent) = self.users.get_mut(user) {
                recent.pending = recent.seen != *seen;
                recent.written_at = Some(now);
            }
        }
    }
}

impl Recent {
    fn may_be_written(&self, now: Timestamp) -> bool {
        self.written_at.is_none_or(|at| now.millis_since(at) >= EVERY_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_user_who_comes_and_goes_is_written_once_a_minute() {
        let user: UserId = "ann".parse().unwrap();
        let mut seen = LastSeen::default();
        seen.came(&user, at(100));
        let first = seen.due(at(100), false);
        assert_eq!(first, [(user.clone(), Seen { at: at(100), online: true })]);
        seen.written(&first, at(100));
        for second in 101..160 {
            seen.left(&user, at(second));
            assert_eq!(seen.due(at(second), false), [], "again in second {second}");
        }
        let last = [(user.clone(), Seen { at: at(159), online: false })];
        assert_eq!(seen.due(at(130), true), last, "all, asked for");
        assert_eq!(seen.due(at(160), false), last);
        seen.written(&last, at(160));
        assert_eq!(seen.at(&user), Some(at(159)), "remembered while it may not be written again");
        assert_eq!(seen.due(at(220), false), []);
        assert_eq!(seen.at(&user), None, "then it is in the store alone");
    }

    #[test]
    fn what_changed_while_it_was_written_is_written_again() {
        let user: UserId = "ann".parse().unwrap();
        let mut seen = LastSeen::default();
        seen.came(&user, at(100));
        let taken = seen.due(at(100), false);
        seen.left(&user, at(101));
        seen.written(&taken, at(101));
        assert_eq!(seen.due(at(161), false), [(user, Seen { at: at(101), online: false })]);
    }
}
