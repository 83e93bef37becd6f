//! From a ruling to the answer.

use verbatim_domain::Position;
use verbatim_ports::commands::Ruled;
use verbatim_schemas::{
    Problem, Ruling, Src,
    ruling::{Accepted, Duplicate, First, Outcome, Rejection},
};

/// Why a command did not count, and the record that was ruled out, if it came that far.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) problem: Problem,
    pub(crate) src: Option<Src>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, src: None }
    }
}

/// What the sender is told.
pub(crate) fn answer(ruling: &Ruling) -> Result<Ruled, Refused> {
    match &ruling.outcome {
        Outcome::Accepted(accepted) => Ok(accepted_now(ruling, accepted)),
        Outcome::Duplicate(duplicate) => repeated(ruling, duplicate),
        Outcome::Rejected(reason) => Err(rejected(ruling, reason)),
    }
}

fn accepted_now(ruling: &Ruling, accepted: &Accepted) -> Ruled {
    let entry = accepted.content.as_ref().map(|content| content.entry.clone());
    let message = match entry.as_ref().map(|entry| &entry.body) {
        Some(verbatim_schemas::EntryBody::Message { message }) => Some(message),
        _ => None,
    };
    Ruled {
        position: Position::at(ruling.src),
        at: ruling.at,
        rev: entry.as_ref().map(|entry| entry.rev),
        seq: message.map(|message| message.seq),
        duplicate: false,
        member_count: Some(accepted.context.member_count),
        standing: accepted.standing.clone(),
        receipt: accepted.receipt.clone(),
        entry,
    }
}

fn repeated(ruling: &Ruling, duplicate: &Duplicate) -> Result<Ruled, Refused> {
    match &duplicate.first {
        First::Rejected(reason) => Err(rejected(ruling, reason)),
        First::Accepted { rev, seq, at } => Ok(Ruled {
            position: Position::at(ruling.src),
            at: *at,
            rev: *rev,
            seq: *seq,
            duplicate: true,
            entry: None,
            member_count: None,
            standing: duplicate.standing.clone(),
            receipt: None,
        }),
    }
}

fn rejected(ruling: &Ruling, reason: &Rejection) -> Refused {
    let mut problem = Problem::new(reason.code);
    if let Some(field) = &reason.field {
        problem = problem.field(field.clone());
    }
    Refused { problem, src: Some(ruling.src) }
}
