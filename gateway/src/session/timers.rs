use std::ops::ControlFlow;

use super::{
    Goodbye,
    core::{Core, Phase},
    receipts,
};
use crate::{codec::PING, config::millis};

impl Core {
    /// Does what is due; breaks when the connection is over.
    pub(super) fn timers(&mut self, now: u64) -> ControlFlow<()> {
        if now >= self.scheduled {
            self.scheduled = u64::MAX;
        }
        let config = &self.shared.config;
        match self.phase {
            Phase::Closing if now >= self.since + millis(config.close_within) => {
                return ControlFlow::Break(());
            }
            Phase::Closing | Phase::Connecting(_) => {}
            Phase::Waiting => {
                if now >= self.since + millis(config.hello_within) {
                    let bye = Goodbye::unauthenticated("send `hello` as the first frame, in time");
                    self.session.close(&bye, now);
                }
            }
            Phase::Live => self.live_timers(now),
        }
        self.schedule(now);
        ControlFlow::Continue(())
    }

    fn live_timers(&mut self, now: u64) {
        let config = &self.shared.config;
        if now >= self.heard + millis(config.silence) {
            return self.session.close(&Goodbye::silent(), now);
        }
        if self.token_left() == Some(0) {
            return self.session.close(&Goodbye::token_ended(), now);
        }
        if self.session.oldest().is_some_and(|at| now >= at + millis(config.backlog_age)) {
            return self.session.close_slow(now);
        }
        if now >= self.pinged + millis(config.ping_interval) {
            self.pinged = now;
            self.push(PING, now);
        }
        let typing = millis(config.typing_interval);
        if let Some(busy) = &mut self.busy {
            busy.typing.retain(|_, at| now < *at + typing);
        }
        receipts::write_due(self, now);
    }

    /// How long the token holds, in milliseconds.
    fn token_left(&self) -> Option<u64> {
        let actor = self.actor.as_ref()?;
        Some(actor.expires_at.millis_since(self.shared.time.wall()))
    }

    /// Puts the next deadline on the wheel, unless an earlier one is there.
    pub(super) fn schedule(&mut self, now: u64) {
        let config = &self.shared.config;
        let next = match self.phase {
            Phase::Closing => self.since + millis(config.close_within),
            Phase::Waiting => self.since + millis(config.hello_within),
            Phase::Connecting(_) => return,
            Phase::Live => {
                let token = self.token_left().map_or(u64::MAX, |left| now.saturating_add(left));
                let busy = self.busy.as_ref().map_or(u64::MAX, |busy| {
                    let typing = if busy.typing.is_empty() {
                        u64::MAX
                    } else {
                        now + millis(config.typing_interval)
                    };
                    busy.receipts.next_due(millis(config.receipt_interval)).min(typing)
                });
                let ping = self.pinged + millis(config.ping_interval);
                let silence = self.heard + millis(config.silence);
                ping.min(silence).min(token).min(busy)
            }
        };
        self.schedule_at(next);
    }

    /// A backlog is looked at when it may be too old.
    pub(super) fn watch_backlog(&mut self, now: u64) {
        if matches!(self.phase, Phase::Live) {
            let at = self.session.oldest().unwrap_or(now);
            self.schedule_at(at + millis(self.shared.config.backlog_age));
        }
    }

    fn schedule_at(&mut self, at: u64) {
        if at < self.scheduled {
            self.scheduled = at;
            self.shared.wheel.schedule(&self.session, at);
        }
    }
}
