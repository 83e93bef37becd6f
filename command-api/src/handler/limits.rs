//! Which command counts against which rate, and what is given back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use verbatim_ports::log::{AppendError, Appended};
use verbatim_schemas::{EventBody, Problem, Ruling, Timestamp, UserId};

use super::rates::Rates;
use crate::config::Config;

/// The rates.
pub(crate) struct Limits {
    sends: Rates,
    creations: Arc<Rates>,
    misses: Arc<Rates>,
    others: Rates,
}

/// What a command's place on the log depends on, once its rates allow it.
pub(crate) enum Entry {
    /// It may be appended, at a charge that is given back when the ruling says so.
    Charged(Charge),
    /// It may be appended for members, and counts as a miss for others.
    Members,
    /// It may be appended for members only: others are told this.
    MembersElse(Problem),
}

/// Something taken that the ruling may give back, once.
pub(crate) struct Charge {
    rates: Arc<Rates>,
    user: UserId,
    gives_back: fn(&Ruling) -> bool,
    settled: AtomicBool,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let rates = |rate| Rates::new(rate, config.rated_users);
        Self {
            sends: rates(config.sends),
            creations: Arc::new(rates(config.creations)),
            misses: Arc::new(rates(config.misses)),
            others: rates(config.others),
        }
    }

    /// Counts a command against the rates that need no lookup.
    pub(crate) fn enter(
        &self,
        user: &UserId,
        body: &EventBody,
        now: Timestamp,
    ) -> Result<Entry, Problem> {
        match body {
            EventBody::MessageSent(_) => self.sends.take(user, now)?,
            _ => self.others.take(user, now)?,
        }
        if !matches!(body, EventBody::ConversationCreated(_)) {
            return Ok(Entry::Members);
        }
        Ok(match self.creations.take(user, now) {
            Ok(()) => Entry::Charged(Charge {
                rates: self.creations.clone(),
                user: user.clone(),
                gives_back: |ruling| ruling.content().is_none(),
                settled: AtomicBool::new(false),
            }),
            // Opening a conversation that one is in already is free.
            Err(refusal) => Entry::MembersElse(refusal),
        })
    }

    /// Counts a command for a conversation that the user does not seem to be in.
    pub(crate) fn miss(&self, user: &UserId, now: Timestamp) -> Result<Charge, Problem> {
        self.misses.take(user, now)?;
        Ok(Charge {
            rates: self.misses.clone(),
            user: user.clone(),
            gives_back: |ruling| !is_miss(ruling),
            settled: AtomicBool::new(false),
        })
    }

    /// Counts a miss that seemed to be none.
    pub(crate) fn late_miss(&self, user: &UserId, now: Timestamp) {
        self.misses.take_late(user, now);
    }
}

impl Charge {
    /// What became of the append: whoever hears of it first settles the charge.
    pub(crate) fn appended(&self, append: &Result<Appended, AppendError>) {
        // What may stand on the log costs.
        if matches!(append, Err(AppendError::Unavailable(_))) {
            self.settle(true);
        }
    }

    /// What was ruled.
    pub(crate) fn ruled(&self, ruling: &Ruling) {
        self.settle((self.gives_back)(ruling));
    }

    fn settle(&self, give_back: bool) {
        if !self.settled.swap(true, Ordering::AcqRel) && give_back {
            self.rates.give_back(&self.user);
        }
    }
}

/// Whether a ruling says that the actor is no member.
pub(crate) fn is_miss(ruling: &Ruling) -> bool {
    use verbatim_schemas::{
        Code, Outcome,
        ruling::{Duplicate, First},
    };
    match &ruling.outcome {
        Outcome::Rejected(reason)
        | Outcome::Duplicate(Duplicate { first: First::Rejected(reason), .. }) => {
            reason.code == Code::ConversationNotFound
        }
        _ => false,
    }
}
