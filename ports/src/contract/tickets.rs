//! What every [`Tickets`] has to pass.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use verbatim_schemas::Timestamp;

use super::{
    breach::{Breach, Check, ensure},
    clock::ManualClock,
    driver::user,
};
use crate::{
    StoreError,
    auth::{Actor, Roles, Tickets},
    clock::Clock,
};

/// Checks the promises of [`Tickets`]. `make` gives a store that reads the given clock.
///
/// # Errors
/// The first promise that is broken.
pub async fn tickets_contract(
    make: impl AsyncFn(Arc<dyn Clock>) -> Arc<dyn Tickets>,
) -> Result<(), Breach> {
    let clock = Arc::new(ManualClock::default());
    let tickets = make(clock.clone()).await;
    check("a ticket speaks for its actor, once", once(&*tickets).await)?;
    check("what is no ticket speaks for nobody", unknown(&*tickets).await)?;
    check("each ticket is another", distinct(&*tickets).await)?;
    check("a ticket ends after 30 s", ends(&*tickets, &clock).await)?;
    check("of many uses at once one counts", at_once(tickets).await)
}

fn check(promise: &'static str, outcome: Check) -> Result<(), Breach> {
    outcome.map_err(|what| Breach { promise, what })
}

fn said<T>(call: &str, answer: Result<T, StoreError>) -> Result<T, String> {
    answer.map_err(|error| format!("{call} failed: {error}"))
}

fn actor(name: &str) -> Actor {
    Actor {
        user: user(name),
        device: "phone".parse().unwrap_or_default(),
        roles: Roles { auditor: true, ..Roles::default() },
        expires_at: Timestamp::from_millis(1_900_000_000_123),
    }
}

async fn once(tickets: &dyn Tickets) -> Check {
    let (ann, bob) = (actor("ann"), actor("bob"));
    let of_ann = said("issue", tickets.issue(ann.clone()).await)?;
    let of_bob = said("issue", tickets.issue(bob.clone()).await)?;
    for (ticket, actor) in [(of_ann, ann), (of_bob, bob)] {
        let found = said("redeem", tickets.redeem(&ticket).await)?;
        ensure!(found.as_ref() == Some(&actor), "it speaks for {found:?}, not {actor:?}");
        for _ in 0..2 {
            let found = said("redeem", tickets.redeem(&ticket).await)?;
            ensure!(found.is_none(), "used again it speaks for {found:?}");
        }
    }
    Ok(())
}

async fn unknown(tickets: &dyn Tickets) -> Check {
    let ticket = said("issue", tickets.issue(actor("ann")).await)?;
    let shorter = ticket.chars().skip(1).collect();
    let longer = format!("{ticket}0");
    let long = "x".repeat(100_000);
    for guess in [String::new(), "ann".into(), "0".repeat(64), shorter, longer, long, "\0é".into()]
    {
        let found = said("redeem", tickets.redeem(&guess).await)?;
        ensure!(found.is_none(), "{guess:.80?} speaks for {found:?}");
    }
    let found = said("redeem", tickets.redeem(&ticket).await)?;
    ensure!(found.is_some(), "guesses used a ticket up");
    Ok(())
}

async fn distinct(tickets: &dyn Tickets) -> Check {
    let mut issued = BTreeSet::new();
    let mut beginnings = BTreeSet::new();
    for number in 0..200 {
        let ticket = said("issue", tickets.issue(actor(&format!("user-{number}"))).await)?;
        ensure!(ticket.len() >= 22, "a ticket of {} characters can be guessed", ticket.len());
        ensure!(ticket.bytes().all(|byte| byte.is_ascii_graphic()), "a ticket is no plain text");
        beginnings.insert(ticket[..11].to_owned());
        issued.insert(ticket);
    }
    ensure!(issued.len() == 200, "of 200 tickets {} differ", issued.len());
    ensure!(beginnings.len() == 200, "tickets follow from one another");
    Ok(())
}

async fn ends(tickets: &dyn Tickets, clock: &ManualClock) -> Check {
    let first = said("issue", tickets.issue(actor("ann")).await)?;
    clock.advance(5_000);
    let second = said("issue", tickets.issue(actor("ann")).await)?;
    clock.advance(24_999);
    let third = said("issue", tickets.issue(actor("ann")).await)?;
    let found = said("redeem", tickets.redeem(&first).await)?;
    ensure!(found.is_some(), "a ticket ended before 30 s");
    clock.advance(5_002);
    for _ in 0..2 {
        let found = said("redeem", tickets.redeem(&second).await)?;
        ensure!(found.is_none(), "after 30 s a ticket speaks for {found:?}");
    }
    let found = said("redeem", tickets.redeem(&third).await)?;
    ensure!(found.is_some(), "a ticket ended with an older one");
    Ok(())
}

async fn at_once(tickets: Arc<dyn Tickets>) -> Check {
    for _ in 0..20 {
        let ticket = said("issue", tickets.issue(actor("ann")).await)?;
        let uses = (0..16).map(|_| {
            let (tickets, ticket) = (tickets.clone(), ticket.clone());
            tokio::spawn(async move { tickets.redeem(&ticket).await })
        });
        let mut counted = 0;
        for outcome in join_all(uses).await {
            let outcome = outcome.map_err(|error| format!("a use did not end: {error}"))?;
            counted += u32::from(said("redeem", outcome)?.is_some());
        }
        ensure!(counted == 1, "{counted} of 16 uses counted");
    }
    Ok(())
}
