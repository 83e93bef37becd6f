//! The callers, and the canaries that are planted where they may not look.

use anyhow::Result;
use serde_json::json;
use verbatim_tests::{Client, Server, Socket, new_id};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Without a token.
    Anonymous,
    /// Signed in, never a member.
    Stranger,
    /// Was a member, and was removed.
    Former,
    /// Joined after some messages.
    Late,
    /// Made the conversation.
    Admin,
}

/// Every caller, in the order of the matrix's columns.
pub const CALLERS: [Caller; 5] =
    [Caller::Anonymous, Caller::Stranger, Caller::Former, Caller::Late, Caller::Admin];

/// Everybody who plays, and one conversation that some of them are in.
pub struct Cast {
    pub server: Server,
    /// The conversation.
    pub id: String,
    /// A direct conversation of two others.
    pub foreign: String,
    /// The socket of a member whose id and presence everybody may ask for.
    _known: Socket,
    clients: [Client; 5],
    canaries: Vec<(String, Vec<Caller>)>,
}

impl Cast {
    /// Plays what happened before the callers come.
    pub async fn play(history: &'static str) -> Result<Self> {
        // The matrix asks far more often for what is not there than a user may.
        let env = [("VERBATIM_RATES_MISSES_PER_MINUTE", "100000")];
        let server = Server::start_with(&[], &env).await?;
        let admin = Client::sign_in(&server, "canary-admin").await?;
        let former = Client::sign_in(&server, "canary-former").await?;
        let late = Client::sign_in(&server, "canary-late").await?;
        let known = Client::sign_in(&server, "known").await?;
        let members = ["canary-former", "known", "removable"];
        let group = json!({
            "kind": "group", "name": "canary-name", "members": members, "history": history,
        });
        let id = admin.create(group).await?;
        let member = |user: &str| format!("/v1/conversations/{id}/members/{user}");
        let early = json!({
            "id": new_id(), "text": "canary-early-text",
            "metadata": {"canary-early-key": "canary-early-value"},
        });
        admin.post(&format!("/v1/conversations/{id}/messages"), early).await?.expect(201);
        former.put(&format!("/v1/conversations/{id}/receipts"), json!({"read": 1})).await?;
        admin.delete(&member("canary-former")).await?.expect(204);
        admin.send(&id, "canary-middle-text").await?.expect(201);
        admin.put(&member("canary-late"), json!({"role": "member"})).await?.expect(201);
        let after = admin.send(&id, "canary-after-text").await?.expect(201).json();
        admin.put(&member("canary-second"), json!({"role": "member"})).await?.expect(201);
        let alien = Client::sign_in(&server, "canary-alien-one").await?;
        let foreign = alien.direct("canary-alien-two").await?;
        let last = alien.send(&foreign, "canary-alien-text").await?.expect(201);
        // What the callers ask for is in every read model, whoever asks first.
        let mut reader = alien.clone();
        reader.after = Some(last.position());
        reader.get("/v1/conversations").await?.expect(200);
        let message = after["id"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            _known: Socket::open(&known).await?,
            clients: [
                Client::anonymous(&admin.base),
                Client::sign_in(&server, "stranger").await?,
                former,
                late,
                admin,
            ],
            canaries: canaries(history, &message),
            server,
            id,
            foreign,
        })
    }

    /// The client of a caller.
    pub fn client(&self, caller: Caller) -> &Client {
        &self.clients[caller as usize]
    }

    /// Fails where a text holds what this caller may not see.
    #[track_caller]
    pub fn search(&self, caller: Caller, what: &str, text: &str) {
        let found = leak(&self.canaries, caller, text);
        assert_eq!(found, None, "{what} shows {caller:?} what is not theirs: {text}");
    }

    /// Fails where no canary reached somebody who may see it: then the search proves nothing.
    #[track_caller]
    pub fn sings(&self, caller: Caller, text: &str) {
        for (canary, hidden_from) in &self.canaries {
            let shown = hidden_from.contains(&caller) || text.contains(canary.as_str());
            assert!(shown, "{caller:?} never saw {canary}");
        }
    }
}

/// The first canary in a text that is hidden from a caller.
fn leak<'a>(canaries: &'a [(String, Vec<Caller>)], caller: Caller, text: &str) -> Option<&'a str> {
    let mut hidden = canaries.iter().filter(|(_, from)| from.contains(&caller));
    hidden.find(|(canary, _)| text.contains(canary.as_str())).map(|(canary, _)| canary.as_str())
}

fn canaries(history: &str, message: &str) -> Vec<(String, Vec<Caller>)> {
    use Caller::{Admin, Anonymous, Former, Late, Stranger};
    let outside = [Anonymous, Stranger, Former];
    let mut early = outside.to_vec();
    let mut gone = vec![Anonymous, Stranger];
    if history == "since_join" {
        early.push(Late);
        gone.push(Late);
    }
    let all = [Anonymous, Stranger, Former, Late, Admin];
    [
        ("canary-name", outside.to_vec()),
        ("canary-early-text", early.clone()),
        ("canary-early-key", early.clone()),
        ("canary-early-value", early.clone()),
        ("canary-middle-text", early),
        ("canary-after-text", outside.to_vec()),
        (message, outside.to_vec()),
        ("canary-admin", outside.to_vec()),
        ("canary-late", outside.to_vec()),
        ("canary-second", outside.to_vec()),
        ("canary-live", outside.to_vec()),
        ("canary-former", gone),
        ("canary-alien", all.to_vec()),
    ]
    .map(|(canary, hidden_from)| (canary.to_owned(), hidden_from))
    .to_vec()
}

#[test]
fn the_search_finds_what_is_hidden_and_only_that() {
    let since_join = canaries("since_join", "the-message");
    let text = "header: x\n{\"text\":\"canary-early-text\",\"id\":\"the-message\"}";
    assert_eq!(leak(&since_join, Caller::Late, text), Some("canary-early-text"));
    assert_eq!(leak(&canaries("all", "the-message"), Caller::Late, text), None);
    assert_eq!(leak(&since_join, Caller::Admin, text), None);
    assert_eq!(leak(&since_join, Caller::Admin, "canary-alien-text"), Some("canary-alien"));
    for outside in [Caller::Anonymous, Caller::Stranger, Caller::Former] {
        assert_eq!(leak(&since_join, outside, "the-message"), Some("the-message"));
    }
}
