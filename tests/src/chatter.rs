//! A client that sends, repeats until ruled, reconnects, and keeps its copy whole.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    Client, Socket,
    copy::Copy,
    dice::Dice,
    new_id,
    record::{Acked, Asked, Mark, Recorder},
    socket::Incoming,
};

/// How long a client waits before it tries again; a real one waits longer.
pub(crate) const BACK_OFF: Duration = Duration::from_millis(20);
/// After so long without a frame a client opens another socket.
const SILENCE: Duration = Duration::from_secs(15);
/// Messages on their way at once on a socket.
const WINDOW: usize = 3;
/// One number for each socket of the process.
static LINES: AtomicU64 = AtomicU64::new(1);

/// What a crowd is told to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Send.
    Talk,
    /// Send nothing new; repeat what is not ruled.
    Hush,
    /// Leave when these conversations are held up to these revs.
    Close(BTreeMap<String, u64>),
}

/// Somebody with a socket.
pub struct Chatter {
    /// Who.
    pub client: Client,
    /// Where to send to.
    pub rooms: Vec<String>,
    /// What to do.
    pub phase: watch::Receiver<Phase>,
    /// Takes down what happens.
    pub recorder: Arc<Recorder>,
    /// Chances.
    pub dice: Dice,
    /// One frame in so many cuts the socket off; never when none.
    pub cuts: Option<u64>,
    /// Counts those who still repeat something.
    pub busy: watch::Sender<usize>,
}

struct Sending {
    conversation: String,
    id: String,
    text: String,
    line: u64,
    attempts: u64,
}

/// One connection.
struct Line {
    socket: Socket,
    number: u64,
    on_their_way: BTreeMap<String, Sending>,
    fetching: bool,
    /// Whether something came after the heads and what was `left`: only then all of these came, and
    /// the next socket may continue from here.
    greeted: bool,
    /// Receipts that are not acknowledged; merged ones are acknowledged together, a second later.
    reading: usize,
}

/// Why a connection ended.
enum End {
    Lost,
    Done,
}

impl Chatter {
    /// Talks until told to leave.
    pub async fn run(mut self) -> Result<()> {
        let mut copy = Copy::new(&self.client.user, self.recorder.clone());
        let (mut outbox, mut since, mut idle) = (VecDeque::new(), None, false);
        loop {
            let opened = Socket::open_since(&self.client, since.as_deref()).await;
            let socket = match opened {
                Ok(socket) => socket,
                Err(error) => {
                    self.waits(format!("a socket: {error:#}"));
                    tokio::time::sleep(BACK_OFF).await;
                    continue;
                }
            };
            copy.connected(&socket.heads, socket.behind);
            let number = LINES.fetch_add(1, Ordering::Relaxed);
            let on_their_way = BTreeMap::new();
            let mut line =
                Line { socket, number, on_their_way, fetching: false, reading: 0, greeted: false };
            let end = self.talk(&mut line, &mut copy, &mut outbox, &mut idle).await;
            if line.greeted {
                since = line.socket.welcome["position"].as_str().map(str::to_owned);
            }
            // What was not ruled is repeated, in the order in which it was sent.
            let mut again: Vec<Sending> = line.on_their_way.into_values().collect();
            again.sort_by(|a, b| a.id.cmp(&b.id));
            again.into_iter().rev().for_each(|sending| outbox.push_front(sending));
            match end {
                Ok(End::Done) => {
                    copy.finish();
                    return Ok(());
                }
                Ok(End::Lost) => {}
                Err(error) => {
                    self.waits(format!("a socket after {error:#}"));
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    fn waits(&self, what: String) {
        self.recorder.waits(&self.client.user, what);
    }

    async fn talk(
        &mut self,
        line: &mut Line,
        copy: &mut Copy,
        outbox: &mut VecDeque<Sending>,
        idle: &mut bool,
    ) -> Result<End> {
        loop {
            let phase = self.phase.borrow_and_update().clone();
            self.say(line, copy, outbox, &phase).await?;
            let quiet = outbox.is_empty() && line.on_their_way.is_empty() && line.reading == 0;
            if phase != Phase::Talk && !*idle && quiet {
                *idle = true;
                self.busy.send_modify(|busy| *busy -= 1);
            }
            if let (Phase::Close(heads), true) = (&phase, *idle)
                && self.rooms.iter().all(|room| copy.holds(room, heads[room]))
            {
                return Ok(End::Done);
            }
            if phase == Phase::Talk && self.cuts.is_some_and(|one_in| self.dice.below(one_in) == 0)
            {
                if self.dice.below(2) == 0 {
                    line.socket.send_half_a_frame().await?;
                }
                return Ok(End::Lost);
            }
            self.waits(format!(
                "{} to be sent, {:?} ruled on, {} receipts, a fetch: {}, a hole: {:?}",
                outbox.len(),
                line.on_their_way.keys(),
                line.reading,
                line.fetching,
                copy.hole(),
            ));
            tokio::select! {
                incoming = line.socket.within(SILENCE) => match incoming? {
                    Some(Incoming::Frame(frame)) => self.hear(line, copy, outbox, frame).await?,
                    Some(Incoming::Closed(_)) | None => return Ok(End::Lost),
                },
                changed = self.phase.changed() => changed.context("the crowd is gone")?,
            }
        }
    }

    async fn say(
        &mut self,
        line: &mut Line,
        copy: &Copy,
        outbox: &mut VecDeque<Sending>,
        phase: &Phase,
    ) -> Result<()> {
        while line.on_their_way.len() < WINDOW {
            let mut sending = match outbox.pop_front() {
                Some(sending) => sending,
                None if *phase == Phase::Talk => self.compose(line),
                None => break,
            };
            sending.attempts += 1;
            let (conversation, id) = (&sending.conversation, &sending.id);
            let frame = json!({
                "type": "send", "ref": id, "conversation_id": conversation, "id": id,
                "text": sending.text,
            });
            line.on_their_way.insert(id.clone(), sending);
            line.socket.send(frame).await?;
        }
        if let (false, Some((conversation, after))) = (line.fetching, copy.hole()) {
            line.fetching = true;
            let frame = json!({
                "type": "fetch", "ref": "fetch", "conversation_id": conversation, "after": after,
            });
            line.socket.send(frame).await?;
        }
        Ok(())
    }

    fn compose(&mut self, line: &Line) -> Sending {
        let conversation = self.dice.pick(&self.rooms).clone();
        let (id, user) = (new_id(), self.client.user.clone());
        let text = format!("{user} says {}", self.dice.below(1_000_000));
        self.recorder.asked(Asked {
            user,
            conversation: conversation.clone(),
            id: id.clone(),
            text: text.clone(),
            line: Some(line.number),
        });
        Sending { conversation, id, text, line: line.number, attempts: 0 }
    }

    async fn hear(
        &mut self,
        line: &mut Line,
        copy: &mut Copy,
        outbox: &mut VecDeque<Sending>,
        frame: Value,
    ) -> Result<()> {
        let reference = frame["ref"].as_str().unwrap_or_default();
        line.greeted |= frame["type"] != "heads" && frame["type"] != "left";
        match frame["type"].as_str() {
            Some("heads") => {
                frame["items"].as_array().into_iter().flatten().for_each(|head| copy.head(head))
            }
            Some("entry") => {
                let conversation = frame["conversation_id"].clone();
                copy.live(frame);
                if self.dice.below(8) == 0 {
                    self.read(line, copy, &conversation).await?;
                }
            }
            Some("entries") => {
                line.fetching = false;
                copy.fetched(&frame);
            }
            Some("left") => copy.left(frame["conversation_id"].as_str().unwrap_or_default()),
            Some("receipt") => self.mark("sees", &frame, frame["user_id"].as_str()),
            Some("ack") if reference == "read" => {
                line.reading -= 1;
                self.mark("is told", &frame, Some(&self.client.user));
            }
            Some("ack") => {
                if let Some(sending) = line.on_their_way.remove(reference) {
                    self.acked(line, &sending, &frame);
                }
            }
            Some("error") if reference == "fetch" => {
                line.fetching = false;
                // Removed meanwhile: `left` says so, or said so. Behind: asked again.
                if frame["code"] != "conversation_not_found" {
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
            Some("error") if reference == "read" => line.reading -= 1,
            Some("error") => {
                if let Some(sending) = line.on_their_way.remove(reference) {
                    if frame["retry"] == "same_id" {
                        outbox.push_back(sending);
                    } else {
                        self.recorder.refused(&sending.conversation, &sending.id);
                        tokio::time::sleep(BACK_OFF).await;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn read(&mut self, line: &mut Line, copy: &Copy, conversation: &Value) -> Result<()> {
        let seq = copy.seq(conversation.as_str().unwrap_or_default());
        if seq == 0 || *self.phase.borrow() != Phase::Talk {
            return Ok(());
        }
        line.reading += 1;
        let field = if self.dice.below(2) == 0 { "read" } else { "delivered" };
        let frame = json!({
            "type": "receipt", "ref": "read", "conversation_id": conversation, field: seq,
        });
        line.socket.send(frame).await
    }

    fn mark(&self, how: &str, frame: &Value, user: Option<&str>) {
        self.recorder.mark(Mark {
            observer: format!("{} {how}", self.client.user),
            conversation: frame["conversation_id"].as_str().unwrap_or_default().to_owned(),
            user: user.unwrap_or_default().to_owned(),
            delivered: frame["delivered"].as_u64().unwrap_or(0),
            read: frame["read"].as_u64().unwrap_or(0),
        });
    }

    fn acked(&self, line: &Line, sending: &Sending, ack: &Value) {
        let once = sending.attempts == 1 && sending.line == line.number;
        self.recorder.acked(Acked {
            conversation: sending.conversation.clone(),
            id: sending.id.clone(),
            seq: ack["seq"].as_u64().unwrap_or(0),
            rev: ack["rev"].as_u64().unwrap_or(0),
            at: ack["created_at"].as_str().unwrap_or_default().to_owned(),
            first: once && ack["duplicate"] != true,
        });
    }
}
