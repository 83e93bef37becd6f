//! Tickets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use verbatim_adapters::embedded::{
    clock::SystemEntropy,
    tickets::{LIFE_MS, MOST_A_USER, MemoryTickets},
};
use verbatim_ports::{
    StoreError,
    auth::{Actor, Roles, Tickets},
    clock::Clock,
    contract::{clock::ManualClock, tickets::tickets_contract},
};
use verbatim_schemas::Timestamp;

fn tickets(clock: Arc<dyn Clock>) -> MemoryTickets {
    MemoryTickets::new(clock, Arc::new(SystemEntropy))
}

fn actor(name: &str) -> Actor {
    Actor {
        user: name.parse().unwrap(),
        device: Default::default(),
        roles: Roles::default(),
        expires_at: Timestamp::MAX,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let make = async |clock| {
        let tickets: Arc<dyn Tickets> = Arc::new(tickets(clock));
        tickets
    };
    tickets_contract(make).await.unwrap();
}

#[tokio::test]
async fn beyond_the_bound_none_is_issued_until_one_is_used_or_ends() {
    let clock = Arc::new(ManualClock::default());
    let tickets = MemoryTickets::bounded(clock.clone(), Arc::new(SystemEntropy), 2);
    let first = tickets.issue(actor("ann")).await.unwrap();
    tickets.issue(actor("bob")).await.unwrap();
    let refused = tickets.issue(actor("cid")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    tickets.redeem(&first).await.unwrap().unwrap();
    tickets.issue(actor("cid")).await.unwrap();
    assert!(tickets.issue(actor("dora")).await.is_err());
    clock.advance(LIFE_MS);
    for name in ["dora", "eve"] {
        tickets.issue(actor(name)).await.unwrap();
    }
}

#[tokio::test]
async fn a_user_with_too_many_loses_the_oldest() {
    let tickets = tickets(Arc::new(ManualClock::default()));
    let mut issued = Vec::new();
    for _ in 0..=MOST_A_USER {
        issued.push(tickets.issue(actor("ann")).await.unwrap());
    }
    assert!(tickets.redeem(&issued[0]).await.unwrap().is_none());
    for ticket in &issued[1..] {
        assert!(tickets.redeem(ticket).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_user_who_uses_tickets_may_fetch_any_number() {
    let tickets = tickets(Arc::new(ManualClock::default()));
    for _ in 0..10_000 {
        let ticket = tickets.issue(actor("ann")).await.unwrap();
        tickets.redeem(&ticket).await.unwrap().unwrap();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    RedeemsTwice,
    RedeemsTwiceAtOnce,
    NeverEnds,
    EndsEarly,
    Counts,
    SpeaksForTheLast,
    IgnoresZerosAtTheEnd,
}
use Fault::*;

/// Tickets in a plain map, with one fault.
struct Broken {
    fault: Fault,
    clock: Arc<dyn Clock>,
    issued: Mutex<BTreeMap<String, (Timestamp, Actor)>>,
    used: Mutex<BTreeSet<String>>,
    count: Mutex<u64>,
    inner: MemoryTickets,
}

#[async_trait]
impl Tickets for Broken {
    async fn issue(&self, actor: Actor) -> Result<String, StoreError> {
        let ticket = match self.fault {
            Counts => {
                let mut count = self.count.lock().unwrap();
                *count += 1;
                format!("{count:064}")
            }
            _ => self.inner.issue(actor.clone()).await?,
        };
        let mut issued = self.issued.lock().unwrap();
        issued.insert(ticket.clone(), (self.clock.now(), actor.clone()));
        if self.fault == SpeaksForTheLast {
            issued.values_mut().for_each(|(_, other)| *other = actor.clone());
        }
        Ok(ticket)
    }

    async fn redeem(&self, ticket: &str) -> Result<Option<Actor>, StoreError> {
        let ticket = match self.fault {
            IgnoresZerosAtTheEnd => ticket.trim_end_matches('0').to_owned(),
            _ => ticket.to_owned(),
        };
        let found = {
            let issued = self.issued.lock().unwrap();
            match self.fault {
                IgnoresZerosAtTheEnd => {
                    let mut same = issued.iter().filter(|(one, _)| {
                        !ticket.is_empty() && one.trim_end_matches('0') == ticket
                    });
                    same.next().map(|(ticket, found)| (ticket.clone(), found.clone()))
                }
                _ => issued.get(&ticket).map(|found| (ticket.clone(), found.clone())),
            }
        };
        let Some((ticket, (issued_at, actor))) = found else { return Ok(None) };
        if self.fault == RedeemsTwiceAtOnce {
            tokio::task::yield_now().await;
        } else if !self.issued.lock().unwrap().contains_key(&ticket) {
            return Ok(None);
        }
        let age = self.clock.now().millis_since(issued_at);
        let keeps = self.fault == RedeemsTwice && self.used.lock().unwrap().insert(ticket.clone());
        if !keeps {
            self.issued.lock().unwrap().remove(&ticket);
        }
        let limit = if self.fault == EndsEarly { 20_000 } else { LIFE_MS };
        Ok(Some(actor).filter(|_| self.fault == NeverEnds || age < limit))
    }
}

/// On one thread, so that uses meet where a fault lets them.
#[tokio::test]
async fn the_contract_refuses_broken_tickets() {
    for (fault, promise) in [
        (RedeemsTwice, "a ticket speaks for its actor, once"),
        (RedeemsTwiceAtOnce, "of many uses at once one counts"),
        (NeverEnds, "a ticket ends after 30 s"),
        (EndsEarly, "a ticket ends after 30 s"),
        (Counts, "each ticket is another"),
        (SpeaksForTheLast, "a ticket speaks for its actor, once"),
        (IgnoresZerosAtTheEnd, "what is no ticket speaks for nobody"),
    ] {
        let make = async |clock: Arc<dyn Clock>| {
            let broken: Arc<dyn Tickets> = Arc::new(Broken {
                fault,
                clock: clock.clone(),
                issued: Mutex::default(),
                used: Mutex::default(),
                count: Mutex::default(),
                inner: tickets(clock),
            });
            broken
        };
        let breach = tickets_contract(make).await.expect_err("the suite passed");
        assert_eq!(breach.promise, promise, "{fault:?}: {}", breach.what);
    }
}
