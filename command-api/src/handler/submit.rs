//! A command's way from its submission to its answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{sync::oneshot, time::timeout};
use verbatim_domain::{Position, partition};
use verbatim_ports::{
    clock::new_salt,
    commands::{Command, Outcome},
    log::{AppendError, Appended, NewRecord, Stream},
};
use verbatim_schemas::{Code, Event, Problem, Timestamp, UserId, bounds};

use super::{
    Handler,
    answer::{Refused, answer},
    in_flight::Flight,
    limits::{Charge, Entry, is_miss},
    measure,
    members::Who,
    rulings::Expected,
};

/// When to try again after a lookup or an append got lost, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;
/// How long a charge waits for the ruling that may give it back.
const SETTLE: Duration = Duration::from_secs(10);

/// A command that may be appended.
struct Ready {
    who: Who,
    kind: &'static str,
    since: Timestamp,
    record: NewRecord,
    entry: Entry,
    flight: Arc<Flight>,
}

/// A command in a lane, and where its beginning is waited for.
pub(crate) struct Queued {
    ready: Ready,
    started: oneshot::Sender<Result<Started, Problem>>,
}

/// A command whose append has begun: its place in the order is taken.
struct Started {
    append: Appending,
    expected: Expected,
    user: UserId,
    partition: u32,
    kind: &'static str,
    since: Timestamp,
    /// What was taken for it.
    charge: Option<Arc<Charge>>,
    _flight: Arc<Flight>,
}

/// An append; some are looked at twice.
type Appending = BoxFuture<'static, Result<Appended, AppendError>>;

/// Where a submitted command stands.
enum Submission {
    Started(Started),
    Queued(oneshot::Receiver<Result<Started, Problem>>),
}

impl Handler {
    /// Takes the command's place in the order, then appends it and waits for its ruling.
    pub(crate) fn submit(
        self: &Arc<Self>,
        command: Command,
        wait: Duration,
    ) -> BoxFuture<'static, Result<Outcome, Refused>> {
        let kind = command.body.type_name();
        let submission = self.prepare(command).and_then(|ready| self.enter(ready));
        let handler = self.clone();
        async move {
            let result = match submission {
                Ok(submission) => handler.finish(submission, wait).await,
                Err(problem) => Err(problem.into()),
            };
            match &result {
                Ok(Outcome::Ruled(ruled)) if ruled.duplicate => measure::answered(kind, "repeated"),
                Ok(Outcome::Ruled(_)) => measure::answered(kind, "accepted"),
                Ok(Outcome::Pending(_)) => measure::answered(kind, "pending"),
                Err(refused) => measure::refused(kind, &refused.problem),
            }
            result
        }
        .boxed()
    }

    /// Makes the event, and checks what needs no lookup.
    fn prepare(&self, command: Command) -> Result<Ready, Problem> {
        let since = self.clock.now();
        let partition = partition::of(command.conversation, self.log.layout().partitions);
        self.writable(partition)?;
        let user = command.actor.user;
        let event = Event {
            id: command.id,
            conversation_id: command.conversation,
            actor: user.clone(),
            salt: new_salt(&*self.entropy),
            body: command.body,
        };
        let value = event.encode().map_err(|error| {
            tracing::error!(%error, "an event cannot be encoded");
            Problem::new(Code::Unavailable).retry_after_ms(RETRY_AFTER_MS)
        })?;
        if value.len() > bounds::EVENT_BYTES {
            return Err(Code::TooLarge.into());
        }
        let flight = Arc::new(self.in_flight.enter(value.len())?);
        let entry = self.limits.enter(&user, &event.body, since)?;
        let record = NewRecord {
            partition,
            key: Bytes::from(command.conversation.to_string()),
            value: value.into(),
        };
        let kind = event.body.type_name();
        Ok(Ready { who: (command.conversation, user), kind, since, record, entry, flight })
    }

    /// Appends at once, or queues up behind a lookup.
    fn enter(self: &Arc<Self>, ready: Ready) -> Result<Submission, Problem> {
        let who = ready.who.clone();
        let mut shard = self.members.shard(&who);
        let known = match (shard.lane(&who), &ready.entry) {
            (Some(_), _) => None,
            // No lookup is needed.
            (None, Entry::Charged(_)) => Some(false),
            (None, Entry::Members | Entry::MembersElse(_)) => shard.knows(&who),
        };
        if let Some(member) = known {
            // Under the lock, so that nothing submitted later comes first.
            let now = ready.since;
            return self.admit(ready, member, now).map(Submission::Started);
        }
        let (started, receiver) = oneshot::channel();
        let queued = Queued { ready, started };
        match shard.lane(&who) {
            Some(lane) => lane.push(queued),
            None => {
                shard.open_lane(who.clone(), queued);
                // One for each lane, and so for no more than there are commands in flight.
                tokio::spawn(self.clone().look_up(who));
            }
        }
        Ok(Submission::Queued(receiver))
    }

    /// Looks a user up, and begins what has queued up meanwhile.
    async fn look_up(self: Arc<Self>, who: Who) {
        let lookup = self.inbox.seems_member(who.0, &who.1);
        // When nobody can tell, it counts as a miss: given back if it was none.
        let seems = matches!(timeout(self.config.lookup, lookup).await, Ok(Ok(true)));
        let now = self.clock.now();
        let mut shard = self.members.shard(&who);
        // A ruling may have told meanwhile.
        let member = shard.knows(&who).unwrap_or(seems);
        if member {
            shard.set(who.clone(), true);
        }
        for Queued { ready, started } in shard.close_lane(&who) {
            // Whoever no longer waits has the command appended all the same.
            let _ = started.send(self.admit(ready, member, now));
        }
    }

    /// Begins a command of a member or another, if that is allowed.
    fn admit(
        self: &Arc<Self>,
        mut ready: Ready,
        member: bool,
        now: Timestamp,
    ) -> Result<Started, Problem> {
        if !member {
            ready.entry = match ready.entry {
                Entry::MembersElse(refusal) => return Err(refusal),
                Entry::Members => Entry::Charged(self.limits.miss(&ready.who.1, now)?),
                entry => entry,
            };
        }
        Ok(self.append(ready))
    }

    /// Begins the append.
    fn append(self: &Arc<Self>, ready: Ready) -> Started {
        let Ready { who: (conversation, user), kind, since, record, entry, flight } = ready;
        let partition = record.partition;
        let expected = self.rulings.expect(partition);
        let append = self.log.append(Stream::Events, vec![record]);
        let append = timeout(self.config.append, append).map(|result| match result {
            Ok(Ok(places)) => places.first().copied().ok_or_else(|| lost("no place was given")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(lost("the append took too long")),
        });
        let mut append = append.boxed();
        let mut charge = None;
        if let Entry::Charged(taken) = entry {
            let taken = charge.insert(Arc::new(taken)).clone();
            let shared = append.shared();
            append = shared.clone().boxed();
            let expected = self.rulings.expect(partition);
            let settling =
                self.clone().settle(taken, (conversation, user.clone()), shared, expected);
            // Counts as in flight, and so is bounded.
            let flight = flight.clone();
            tokio::spawn(settling.map(|()| drop(flight)));
        }
        Started { append, expected, user, partition, kind, since, charge, _flight: flight }
    }

    /// Settles a charge by the ruling, whether or not the sender still waits for it.
    async fn settle(
        self: Arc<Self>,
        charge: Arc<Charge>,
        who: Who,
        append: Shared<Appending>,
        expected: Expected,
    ) {
        let append = append.await;
        charge.appended(&append);
        let Ok(appended) = append else { return };
        if let Ok(Some(ruling)) = timeout(SETTLE, expected.at(appended.offset)).await {
            charge.ruled(&ruling);
            self.members.learn_actor(who, &ruling);
        }
    }

    async fn finish(
        self: Arc<Self>,
        submission: Submission,
        wait: Duration,
    ) -> Result<Outcome, Refused> {
        let started = match submission {
            Submission::Started(started) => started,
            // Dropped before it was appended, which only the end of the process does.
            Submission::Queued(started) => started.await.unwrap_or_else(|_| {
                Err(Problem::new(Code::Unavailable).retry_after_ms(RETRY_AFTER_MS))
            })?,
        };
        let Started { append, expected, user, partition, kind, since, charge, _flight } = started;
        let append = append.await;
        // Settled before the answer, so that whoever asks next finds what was given back.
        if let Some(charge) = &charge {
            charge.appended(&append);
        }
        let appended = append.map_err(|error| {
            tracing::warn!(%error, kind, partition, "a command was not appended");
            Problem::from(error)
        })?;
        measure::appended(since, self.clock.now());
        let src = self.log.layout().src(partition, appended.offset);
        if wait.is_zero() {
            // Always the same answer, however fast the ruling was.
            return Ok(Outcome::Pending(Position::at(src)));
        }
        let ruling = timeout(wait, expected.at(appended.offset)).await;
        let Ok(Some(ruling)) = ruling else {
            return Ok(Outcome::Pending(Position::at(src)));
        };
        let now = self.clock.now();
        measure::ruled(since, now);
        match charge {
            Some(charge) => charge.ruled(&ruling),
            None if is_miss(&ruling) => self.limits.late_miss(&user, now),
            None => {}
        }
        answer(&ruling).map(|ruled| Outcome::Ruled(Box::new(ruled)))
    }
}

fn lost(why: &str) -> AppendError {
    AppendError::Unknown(why.to_owned())
}
