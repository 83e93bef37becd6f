//! Each guarantee's own test fails where an adapter breaks the guarantee.
//!
//! The test runs as it is, in a process of its own, and every server that it starts has one promise broken
//! ([`verbatim_adapters::faults::Broken`]). What it says must name what is broken.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::power_cut::LYING_DISK;

/// Runs a test of this file's own program under one more setting, and expects it to fail with one of
/// `words`.
async fn refuses(test: &str, setting: (&str, &str), words: &[&str]) -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args([test, "--exact", "--test-threads=1"])
        .env(setting.0, setting.1)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run the test")?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("running 1 test"), "there is a test {test}: {said}");
    assert!(!output.status.success(), "{test} holds with {setting:?}");
    let named = words.iter().any(|word| said.contains(word));
    assert!(named, "{test} with {setting:?} says none of {words:?}: {said}");
    Ok(())
}

macro_rules! refuse {
    ($($name:ident: $setting:expr, $value:literal, $test:literal, $words:expr;)*) => {$(
        #[tokio::test]
        async fn $name() -> Result<()> {
            refuses($test, ($setting, $value), &$words).await
        }
    )*};
}

const FAULTS: &str = "TEST_VERBATIM_FAULTS";

refuse! {
    g1_g10_a_disk_that_lies: LYING_DISK, "1",
        "power_cut::g1_g2_g3_g10_a_disk_that_forgets_all_it_may_loses_nothing_acknowledged",
        ["Lost("];
    g2_a_history_that_reorders_messages: FAULTS, "broken=reorders-messages",
        "paused::g1_g2_g3_g4_a_crowd_while_projectors_stop_and_go_on",
        ["entries and messages"];
    g3_a_state_that_forgets_ids: FAULTS, "broken=forgets-ids",
        "paused::g1_g2_g3_g4_a_crowd_while_projectors_stop_and_go_on",
        ["Doubled("];
    g4_a_history_that_alters_entries: FAULTS, "broken=alters-entries",
        "agreement::g4_live_entries_entries_and_messages_agree_byte_for_byte",
        ["as pushed, so stored"];
    g5_a_history_that_never_waits: FAULTS, "broken=history-never-waits",
        "paused::g4_g5_with_history_paused_sends_and_live_delivery_go_on_and_reads_say_behind",
        ["right: 503", "right: 1"];
    g5_an_inbox_that_never_waits: FAULTS, "broken=inbox-never-waits",
        "paused::g5_with_the_inbox_paused_sends_and_history_go_on",
        ["right: 503"];
    g6_an_inbox_that_forgets_what_was_left: FAULTS, "broken=forgets-left",
        "resume::g6_what_was_left_meanwhile_is_named",
        ["nothing came"];
    g7_a_membership_that_shows_everything: FAULTS, "broken=opens-intervals",
        "visibility::routes::g7_every_route_shows_each_caller_only_theirs_since_join",
        ["shows Late what is not theirs"];
    g7_a_membership_without_its_gap: FAULTS, "broken=opens-intervals",
        "visibility::intervals::g7_who_comes_back_sees_both_times_and_not_what_was_between",
        ["left: [\"before\""];
    g7_a_membership_that_does_not_end: FAULTS, "broken=keeps-members",
        "visibility::routes::g7_every_route_shows_each_caller_only_theirs_with_all_history",
        ["Former"];
    g7_a_ticket_that_counts_twice: FAULTS, "broken=redeems-twice",
        "visibility::edges::g7_a_ticket_opens_a_socket_of_whoever_asked_for_it_once",
        ["once"];
    g8_a_rebuild_that_leaves_rows_out: FAULTS, "broken=rebuilds-less",
        "rebuild::g8_history_is_rebuilt_while_people_talk_and_reads_never_fail",
        ["differs from the live one"];
    g9_pages_that_ignore_their_bytes: FAULTS, "broken=ignores-bytes",
        "bad_input::queries::g9_pages_are_bounded_in_bytes_and_go_on_to_the_end",
        ["bytes in a page", "read the answers that were sent"];
}
