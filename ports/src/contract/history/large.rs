//! A conversation above the number of members up to which receipts are public.

use std::{sync::Arc, time::Duration};

use verbatim_schemas::{Kind, Role, Visibility, bounds};

use super::{
    reads::{self, all_receipts},
    scene::{History, Scene},
};
use crate::contract::{
    breach::{Check, ensure},
    driver::user,
    story::Story,
};

/// Receipts are public up to the rule's bound or the reader's lower one; above, one's own only.
pub(super) async fn receipts(empty: [Arc<dyn History>; 2], patience: Duration) -> Check {
    let [at_bound, above] = empty;
    let bound = bounds::RECEIPTS_PUBLIC_MEMBERS;
    for (history, count) in [(at_bound, bound), (above, bound + 1)] {
        let mut story = Story::new(1, 0);
        let channel = story.told.create(Kind::Channel, "ann", &[], Visibility::All);
        for number in 1..count {
            story.told.add(channel, "ann", &format!("member-{number:03}"), Role::Member);
        }
        story.told.send(channel, "ann", "to all");
        story.told.read(channel, "member-007", 1);
        story.conversations.push(channel);
        story.users.push(user("member-007"));
        let scene = Scene::begin(history, story, patience).await?;
        reads::inbox(&scene).await?;
        reads::sharing(&scene).await?;
        let readers = ["ann", "member-007"].into_iter();
        let asked =
            readers.flat_map(|name| [u32::MAX, count, count - 1].map(|up_to| (name, up_to)));
        for (name, public_up_to) in asked {
            let reader = user(name);
            let grant = scene.grant(channel, &reader).await?;
            let grant = grant.ok_or_else(|| format!("{name} may not read"))?;
            let found = all_receipts(&scene, &grant, public_up_to, 100, count as usize).await?;
            let told = &scene.model.conversations[&channel];
            let public = count <= public_up_to.min(bound);
            let expected: Vec<_> = told
                .members
                .values()
                .filter(|present| public || present.member.user_id == reader)
                .map(|present| present.receipt.clone())
                .collect();
            ensure!(
                found == expected,
                "of {count} members, public up to {public_up_to}, {name} sees {} receipts, not {}",
                found.len(),
                expected.len()
            );
        }
    }
    Ok(())
}
