//! Eight people who talk in a few conversations at once, over sockets and REST, whatever happens to
//! the server; and what each of them has when all is quiet.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{
    Client,
    chatter::{BACK_OFF, Chatter, Phase},
    dice::Dice,
    new_id,
    record::{Acked, Asked, History, Record, Recorder},
};

/// Lets eight people talk as fast as they can.
pub const NO_RATES: &[(&str, &str)] = &[
    ("VERBATIM_RATES_SENDS_PER_SECOND", "100000"),
    ("VERBATIM_RATES_SEND_BURST", "100000"),
    ("VERBATIM_RATES_MISSES_PER_MINUTE", "100000"),
    ("VERBATIM_LOG_LEVEL", "error"),
];

const NAMES: [&str; 8] = ["ada", "bob", "cid", "dee", "eve", "fay", "gus", "hal"];
/// How long a crowd may take to come to rest; far above what it takes.
const REST: Duration = Duration::from_secs(60);

/// The people and their conversations.
pub struct Crowd {
    /// Everybody; the first founded every conversation and is never removed.
    pub clients: Vec<Client>,
    /// Conversations and their founding members, as indexes of `clients`.
    pub rooms: Vec<(String, Vec<usize>)>,
    /// What happened.
    pub recorder: Arc<Recorder>,
    phase: watch::Sender<Phase>,
    busy: watch::Sender<usize>,
    tasks: JoinSet<Result<()>>,
}

impl Crowd {
    /// Signs eight people in at `http://ADDR` and founds a group of all, one of four, and a direct
    /// conversation.
    pub async fn gather(base: &str) -> Result<Self> {
        let mut clients = Vec::new();
        for name in NAMES {
            clients.push(Client::sign_in_at(base, name, json!({})).await?);
        }
        let everybody = clients[0].group(&NAMES[1..]).await?;
        let some = clients[0].group(&NAMES[1..4]).await?;
        let two = clients[0].direct(NAMES[7]).await?;
        let rooms =
            vec![(everybody, (0..8).collect()), (some, (0..4).collect()), (two, vec![0, 7])];
        Ok(Self {
            clients,
            rooms,
            recorder: Arc::default(),
            phase: watch::channel(Phase::Talk).0,
            busy: watch::channel(0).0,
            tasks: JoinSet::new(),
        })
    }

    /// Everybody talks on a socket of their own, every second one over REST too. With `cuts`, one
    /// frame in so many cuts its socket off.
    pub fn talk(&mut self, dice: &mut Dice, cuts: Option<u64>) {
        for (index, client) in self.clients.iter().enumerate() {
            let rooms = self.rooms_of(index);
            let poster = Poster {
                client: client.clone(),
                rooms: rooms.clone(),
                phase: self.phase.subscribe(),
                recorder: self.recorder.clone(),
                dice: dice.fork(),
            };
            let chatter = Chatter {
                client: client.clone(),
                rooms,
                phase: self.phase.subscribe(),
                recorder: self.recorder.clone(),
                dice: dice.fork(),
                cuts,
                busy: self.busy.clone(),
            };
            self.busy.send_modify(|busy| *busy += 1);
            self.tasks.spawn(chatter.run());
            if index % 2 == 0 {
                self.busy.send_modify(|busy| *busy += 1);
                let busy = self.busy.clone();
                self.tasks.spawn(async move {
                    let posted = poster.run().await;
                    busy.send_modify(|busy| *busy -= 1);
                    posted
                });
            }
        }
    }

    /// Waits until so many more messages were acknowledged.
    pub async fn acks(&self, more: u64) -> Result<()> {
        let mut acks = self.recorder.acks();
        let goal = *acks.borrow_and_update() + usize::try_from(more)?;
        let reached = timeout(REST, acks.wait_for(|count| *count >= goal)).await;
        reached.with_context(|| format!("not {more} more acknowledgements in {REST:?}"))??;
        Ok(())
    }

    /// Lets everybody repeat until all is ruled, catch up and leave; then reads what each may read.
    /// They can talk again.
    pub async fn quiet(&mut self) -> Result<Record> {
        self.phase.send_replace(Phase::Hush);
        let mut busy = self.busy.subscribe();
        let waiting = |what: &str| format!("{what}; waiting: {}", self.recorder.waiting());
        let ruled = timeout(REST, busy.wait_for(|busy| *busy == 0)).await;
        ruled.with_context(|| waiting("not all is ruled"))??;
        let (mut heads, mut positions) = (BTreeMap::new(), Vec::new());
        for (room, _) in &self.rooms {
            let (rev, position) = self.last_word(room).await?;
            heads.insert(room.clone(), rev);
            positions.push(position);
        }
        self.phase.send_replace(Phase::Close(heads));
        let recorder = self.recorder.clone();
        loop {
            let ended = timeout(REST, self.tasks.join_next()).await;
            let waiting = || format!("some do not catch up; waiting: {}", recorder.waiting());
            match ended.with_context(waiting)? {
                Some(ended) => ended??,
                None => break,
            }
        }
        for (index, client) in self.clients.iter().enumerate() {
            let mut client = client.clone();
            client.after = Some(positions.join(","));
            let inbox = client.get("/v1/conversations?limit=200").await?.expect(200).json();
            for room in self.rooms_of(index) {
                self.recorder.history(read(&client, &room, &inbox).await?);
            }
        }
        self.phase.send_replace(Phase::Talk);
        Ok(self.recorder.pause())
    }

    /// As [`Self::quiet`], for good.
    pub async fn rest(mut self) -> Result<Record> {
        self.quiet().await
    }

    async fn last_word(&self, room: &str) -> Result<(u64, String)> {
        let (id, text, user) = (new_id(), "the last word".to_owned(), NAMES[0].to_owned());
        let conversation = room.to_owned();
        let asked = Asked { user, conversation, id: id.clone(), text: text.clone(), line: None };
        self.recorder.asked(asked);
        let answer = self.clients[0].send_as(room, &id, &text).await?.expect(201);
        let message = answer.json();
        self.recorder.acked(acked(room, &message, false));
        Ok((message["rev"].as_u64().context("no rev")?, answer.position()))
    }

    fn rooms_of(&self, index: usize) -> Vec<String> {
        let rooms = self.rooms.iter().filter(|(_, members)| members.contains(&index));
        rooms.map(|(room, _)| room.clone()).collect()
    }
}

/// Reads a conversation whole.
async fn read(client: &Client, room: &str, inbox: &Value) -> Result<History> {
    let path = format!("/v1/conversations/{room}");
    let mut receipts: Vec<(String, u64, u64)> =
        pages(client, &format!("{path}/receipts"), "cursor")
            .await?
            .iter()
            .map(|receipt| {
                let number = |name: &str| receipt[name].as_u64().unwrap_or(0);
                let user = receipt["user_id"].as_str().unwrap_or_default().to_owned();
                (user, number("delivered"), number("read"))
            })
            .collect();
    receipts.sort();
    let items = inbox["items"].as_array().context("no inbox")?;
    let item = items.iter().find(|item| item["id"] == room).context("not in the inbox")?;
    Ok(History {
        user: client.user.clone(),
        conversation: room.to_owned(),
        entries: pages(client, &format!("{path}/entries"), "after").await?,
        messages: client.messages(room).await?,
        receipts,
        unread: item["unread"].as_u64().context("no count")?,
    })
}

/// Reads every page.
async fn pages(client: &Client, path: &str, parameter: &str) -> Result<Vec<Value>> {
    let (mut all, mut query) = (Vec::new(), String::new());
    if parameter == "after" {
        query = "&after=0".to_owned();
    }
    loop {
        let page = client.get(&format!("{path}?limit=200{query}")).await?.expect(200).json();
        all.extend(page["items"].as_array().context("no items")?.iter().cloned());
        query = match &page["next"] {
            Value::Null => return Ok(all),
            Value::String(next) => format!("&{parameter}={next}"),
            next => format!("&{parameter}={next}"),
        };
    }
}

/// Somebody who sends over REST, one message at a time.
struct Poster {
    client: Client,
    rooms: Vec<String>,
    phase: watch::Receiver<Phase>,
    recorder: Arc<Recorder>,
    dice: Dice,
}

impl Poster {
    async fn run(mut self) -> Result<()> {
        while *self.phase.borrow() == Phase::Talk {
            let conversation = self.dice.pick(&self.rooms).clone();
            let (id, user) = (new_id(), self.client.user.clone());
            let text = format!("{user} posts {}", self.dice.below(1_000_000));
            self.recorder.asked(Asked {
                user,
                conversation: conversation.clone(),
                id: id.clone(),
                text: text.clone(),
                line: None,
            });
            self.post(&conversation, &id, &text).await?;
        }
        Ok(())
    }

    /// Repeats until ruled.
    async fn post(&mut self, conversation: &str, id: &str, text: &str) -> Result<()> {
        let path = format!("/v1/conversations/{conversation}/messages");
        let mut repeated = 0;
        loop {
            let body = json!({"id": id, "text": text});
            let call = self.client.call(Method::POST, &path, Some(body));
            let answer = timeout(Duration::from_secs(15), call).await;
            self.recorder.waits(&format!("{} over REST", self.client.user), format!("{answer:?}"));
            if let Ok(Ok(answer)) = answer {
                match answer.status {
                    200 | 201 => {
                        self.recorder.acked(acked(conversation, &answer.json(), false));
                        // Now and then once more, though it was ruled.
                        if repeated > 0 || self.dice.below(4) > 0 {
                            return Ok(());
                        }
                        repeated += 1;
                        continue;
                    }
                    202 => {}
                    _ if answer.json()["retry"] == "same_id" => {}
                    _ => {
                        self.recorder.refused(conversation, id);
                        tokio::time::sleep(BACK_OFF).await;
                        return Ok(());
                    }
                }
            }
            tokio::time::sleep(BACK_OFF).await;
        }
    }
}

fn acked(conversation: &str, message: &Value, first: bool) -> Acked {
    Acked {
        conversation: conversation.to_owned(),
        id: message["id"].as_str().unwrap_or_default().to_owned(),
        seq: message["seq"].as_u64().unwrap_or(0),
        rev: message["rev"].as_u64().unwrap_or(0),
        at: message["created_at"].as_str().unwrap_or_default().to_owned(),
        first,
    }
}
