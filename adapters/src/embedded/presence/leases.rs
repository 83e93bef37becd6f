//! Who is online, and at which gateways.

use std::collections::{BTreeMap, HashMap, HashSet};

use verbatim_ports::presence::Incarnation;
use verbatim_schemas::{Timestamp, UserId};

/// Leases and the users under them.
#[derive(Default)]
pub(super) struct Leases {
    gateways: BTreeMap<Incarnation, Lease>,
    /// Where each user is; mostly at one gateway.
    users: HashMap<UserId, Vec<Incarnation>>,
}

#[derive(Default)]
struct Lease {
    /// Until then; a gateway without a lease has none of its users online.
    until: Timestamp,
    users: HashSet<UserId>,
}

impl Leases {
    /// Opens or renews a lease. Returns who comes back with a lease that had ended, where nobody
    /// swept it: the gateway is the same, so its users are still there.
    pub(super) fn renew(
        &mut self,
        gateway: Incarnation,
        until: Timestamp,
        now: Timestamp,
    ) -> Vec<UserId> {
        let lease = self.gateways.entry(gateway).or_default();
        let had_ended = lease.until <= now;
        lease.until = until;
        let back =
            if had_ended && until > now { lease.users.iter().cloned().collect() } else { vec![] };
        back.into_iter()
            .filter(|user| self.elsewhere(user, gateway, now).next().is_none())
            .collect()
    }

    /// Ends the leases that are over. Returns who is offline by that, and since when.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Vec<(UserId, Timestamp)> {
        let over = self.gateways.iter().filter(|(_, lease)| lease.until <= now);
        let over: Vec<_> = over.map(|(gateway, lease)| (*gateway, lease.until)).collect();
        let mut left = Vec::new();
        for (gateway, until) in over {
            left.extend(self.release(gateway).into_iter().map(|user| (user, until)));
        }
        left
    }

    /// Ends a lease. Returns who is at no gateway any more.
    pub(super) fn release(&mut self, gateway: Incarnation) -> Vec<UserId> {
        let users = self.gateways.remove(&gateway).map(|lease| lease.users).unwrap_or_default();
        users.into_iter().filter(|user| self.remove(user, gateway)).collect()
    }

    /// Whether the user is online by that and was not before.
    pub(super) fn arrive(&mut self, gateway: Incarnation, user: &UserId, now: Timestamp) -> bool {
        let lease = self.gateways.entry(gateway).or_default();
        if !lease.users.insert(user.clone()) {
            return false;
        }
        let holds = lease.until > now;
        let was_online = self.is_online(user, now);
        self.users.entry(user.clone()).or_default().push(gateway);
        holds && !was_online
    }

    /// None where the user was not there; else whether they are at no gateway any more.
    pub(super) fn depart(&mut self, gateway: Incarnation, user: &UserId) -> Option<bool> {
        let lease = self.gateways.get_mut(&gateway)?;
        lease.users.remove(user).then(|| self.remove(user, gateway))
    }

    pub(super) fn is_online(&self, user: &UserId, now: Timestamp) -> bool {
        self.ends(user).any(|until| until > now)
    }

    /// When the last of the user's leases ends or ended.
    pub(super) fn lapsed(&self, user: &UserId) -> Option<Timestamp> {
        self.ends(user).max().filter(|until| *until > Timestamp::default())
    }

    fn ends(&self, user: &UserId) -> impl Iterator<Item = Timestamp> {
        let gateways = self.users.get(user).map(Vec::as_slice).unwrap_or_default();
        gateways.iter().filter_map(|gateway| self.gateways.get(gateway)).map(|lease| lease.until)
    }

    fn elsewhere(
        &self,
        user: &UserId,
        here: Incarnation,
        now: Timestamp,
    ) -> impl Iterator<Item = &Incarnation> {
        let gateways = self.users.get(user).map(Vec::as_slice).unwrap_or_default();
        gateways.iter().filter(move |gateway| {
            **gateway != here && self.gateways.get(gateway).is_some_and(|lease| lease.until > now)
        })
    }

    /// Whether the user is at no gateway any more.
    fn remove(&mut self, user: &UserId, gateway: Incarnation) -> bool {
        let Some(gateways) = self.users.get_mut(user) else { return false };
        gateways.retain(|other| *other != gateway);
        if !gateways.is_empty() {
            return false;
        }
        self.users.remove(user);
        true
    }
}
