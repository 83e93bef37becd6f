//! Nobody reads what they may not see: everything that each user can get is searched for texts that
//! were sent while they were away.

use std::collections::BTreeSet;

use verbatim_schemas::{CommandId, EntryBody, Rev, Seq, UserId, Visibility};

use super::{
    reads::json,
    scene::{Scene, said},
};
use crate::{
    contract::breach::{Check, ensure},
    history::MessagePage,
};

/// Everything that a user can read, as one text.
async fn readable(scene: &Scene, user: &UserId) -> Result<String, String> {
    let mut all = String::new();
    let inbox = said("inbox", scene.history.inbox(user, None, 200, usize::MAX).await)?.items;
    all += &json(&inbox)?;
    for conversation in &scene.story.conversations {
        let Some(grant) = scene.grant(*conversation, user).await? else { continue };
        let history = &scene.history;
        all += &json(&said("conversation", history.conversation(&grant).await)?)?;
        all += &json(&said("members", history.members(&grant, None, 200).await)?)?;
        all += &json(&said("receipts", history.receipts(&grant, u32::MAX, None, 200).await)?)?;
        for page in [
            MessagePage::Before(None),
            MessagePage::Before(Some(Seq(3))),
            MessagePage::After(Seq(0)),
            MessagePage::After(Seq(3)),
        ] {
            all += &json(&said(
                "messages",
                history.messages(&grant, page, 10_000, usize::MAX).await,
            )?)?;
        }
        for after in [Rev(0), Rev(5)] {
            let entries = history.entries(&grant, after, 10_000, usize::MAX).await;
            all += &json(&said("entries", entries)?)?;
        }
        for id in sent_ids(scene) {
            all += &json(&said("sent_message", history.sent_message(&grant, id).await)?)?;
        }
    }
    Ok(all)
}

fn sent_ids(scene: &Scene) -> BTreeSet<CommandId> {
    let entries = scene.story.told.rulings().iter().filter_map(|ruling| ruling.content());
    entries
        .filter_map(|content| match &content.entry.body {
            EntryBody::Message { message } => Some(message.id),
            _ => None,
        })
        .collect()
}

/// Of a conversation that shows everything its present members see all; of another only those who
/// were there see a text, while they are there (again).
pub(super) async fn canaries(scene: &Scene) -> Check {
    let (mut seen, mut hidden) = (0, 0);
    for user in &scene.story.users {
        let readable = readable(scene, user).await?;
        for canary in &scene.story.canaries {
            let state = scene.story.told.state(canary.conversation);
            let accepted = !canary.present.is_empty();
            let may = accepted
                && state.members.contains_key(user)
                && match scene.story.history[&canary.conversation] {
                    Visibility::All => true,
                    Visibility::SinceJoin => canary.present.contains(user),
                };
            let sees = readable.contains(&canary.text);
            ensure!(sees == may, "{user} and {}: sees it {sees}, may see it {may}", canary.text);
            seen += u32::from(sees);
            hidden += u32::from(accepted && !sees);
        }
    }
    ensure!(seen > 100 && hidden > 100, "the story shows {seen} texts and hides {hidden}");
    Ok(())
}
