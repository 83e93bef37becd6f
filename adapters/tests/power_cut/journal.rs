//! Rollback journals: what each mode promises after a power cut.

use crate::ledger::{Setting, survives_a_cut_at_every_step, worst_loss};

#[test]
fn truncate_and_persist_with_full_lose_nothing() {
    for journal in ["truncate", "persist"] {
        let setting = Setting { journal, synchronous: "full" };
        assert_eq!(worst_loss(setting), 0, "{setting:?}");
        survives_a_cut_at_every_step(setting);
    }
}

#[test]
fn delete_with_extra_loses_nothing() {
    let setting = Setting { journal: "delete", synchronous: "extra" };
    assert_eq!(worst_loss(setting), 0);
    survives_a_cut_at_every_step(setting);
}

/// The journal's name is still in the folder, which only `extra` syncs after the deletion, so the
/// last transaction is rolled back: <https://www.sqlite.org/pragma.html#pragma_synchronous>.
#[test]
fn delete_with_full_can_lose_the_last_commit() {
    assert_eq!(worst_loss(Setting { journal: "delete", synchronous: "full" }), 1);
}

#[test]
fn off_loses_commits() {
    let lost = std::panic::catch_unwind(|| {
        worst_loss(Setting { journal: "truncate", synchronous: "off" })
    });
    assert!(lost.is_err() || lost.is_ok_and(|lost| lost > 0), "nothing was lost nor corrupted");
}
