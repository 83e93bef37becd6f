//! The rows that a batch changed, each once.

use std::collections::BTreeMap;

use verbatim_domain::state::Change;
use verbatim_schemas::{CommandId, ConversationId, UserId};

/// Changes by row; of a row's changes the last wins, since each holds the whole row.
#[derive(Default)]
pub(super) struct Changes(BTreeMap<(ConversationId, Row), Change>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Head,
    Member(UserId),
    Memory(UserId),
    Spent(UserId, CommandId),
}

impl Row {
    fn of(change: &Change) -> Self {
        match change {
            Change::Head(_) => Self::Head,
            Change::Member(user, _) => Self::Member(user.clone()),
            Change::Memory(user, _) => Self::Memory(user.clone()),
            Change::Spent(user, id, _) => Self::Spent(user.clone(), *id),
        }
    }
}

impl Changes {
    pub(super) fn add(&mut self, conversation: ConversationId, changes: Vec<Change>) {
        for change in changes {
            self.0.insert((conversation, Row::of(&change)), change);
        }
    }

    /// The changes, in the order of their rows.
    pub(super) fn into_rows(self) -> Vec<(ConversationId, Change)> {
        self.0.into_iter().map(|((conversation, _), change)| (conversation, change)).collect()
    }
}

#[cfg(test)]
mod tests {
    use verbatim_domain::state::Memory;

    use super::*;

    #[test]
    fn the_last_change_of_a_row_wins_and_rows_stay_apart() {
        let one: ConversationId = "018f4e9a-0000-7000-8000-000000000001".parse().unwrap();
        let other: ConversationId = "018f4e9a-0000-7000-8000-000000000002".parse().unwrap();
        let ann: UserId = "ann".parse().unwrap();
        let memory = |count| Change::Memory(ann.clone(), Memory { count, floor: None });
        let mut changes = Changes::default();
        changes.add(other, vec![memory(7)]);
        changes.add(one, vec![memory(1), Change::Member(ann.clone(), None), memory(2)]);
        changes.add(one, vec![memory(3)]);
        assert_eq!(
            changes.into_rows(),
            [(one, Change::Member(ann.clone(), None)), (one, memory(3)), (other, memory(7))]
        );
    }
}
