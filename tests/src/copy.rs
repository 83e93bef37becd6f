//! A client's copy of its conversations, kept as api.md says: entries by rev, holes filled by fetch.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use crate::record::{Recorder, View};

/// What one user's client holds, over many connections.
pub struct Copy {
    user: String,
    recorder: Arc<Recorder>,
    rooms: HashMap<String, Room>,
    /// What the present socket brought live.
    live: HashMap<String, View>,
}

#[derive(Default)]
struct Room {
    /// The last rev held.
    last: u64,
    /// The last message's number.
    seq: u64,
    /// The last rev known to exist.
    head: u64,
    /// Live entries beyond a hole.
    held: BTreeMap<u64, Value>,
    /// Everything, in the order in which it was taken.
    entries: Vec<Value>,
    member: bool,
}

impl Copy {
    /// An empty copy.
    pub fn new(user: &str, recorder: Arc<Recorder>) -> Self {
        let (rooms, live) = (HashMap::new(), HashMap::new());
        Self { user: user.to_owned(), recorder, rooms, live }
    }

    /// A socket is open, and so much it said.
    pub fn connected(&mut self, heads: &[Value], behind: bool) {
        self.end_live();
        for head in heads {
            self.head(head);
        }
        for (conversation, room) in &self.rooms {
            // What is not named did not change since, unless its partition is still to come.
            let after = (room.member && !behind).then_some(room.head);
            let view = View { after, ..self.view(conversation) };
            self.live.entry(conversation.clone()).or_insert(view);
        }
    }

    /// A head was told.
    pub fn head(&mut self, head: &Value) {
        let conversation = text(&head["conversation_id"]);
        let rev = head["head_rev"].as_u64().unwrap_or(0);
        let room = self.rooms.entry(conversation.clone()).or_default();
        room.head = room.head.max(rev);
        room.member = true;
        let view = View { after: Some(rev), ..self.view(&conversation) };
        self.live.insert(conversation, view);
    }

    /// An entry came live.
    pub fn live(&mut self, mut entry: Value) {
        if let Some(fields) = entry.as_object_mut() {
            fields.remove("type");
        }
        let conversation = text(&entry["conversation_id"]);
        let view = self.view(&conversation);
        self.live.entry(conversation.clone()).or_insert(view).entries.push(entry.clone());
        let rev = entry["rev"].as_u64().unwrap_or(0);
        let room = self.rooms.entry(conversation).or_default();
        room.head = room.head.max(rev);
        room.member = true;
        if rev > room.last {
            room.held.insert(rev, entry);
        }
        room.advance();
    }

    /// Entries were fetched; the answer is beyond any hole.
    pub fn fetched(&mut self, answer: &Value) {
        let Some(room) = self.rooms.get_mut(&text(&answer["conversation_id"])) else { return };
        for entry in answer["items"].as_array().into_iter().flatten() {
            room.take(entry.clone());
        }
        if answer["next"].is_null() {
            room.head = room.head.max(answer["head_rev"].as_u64().unwrap_or(0));
        }
        room.advance();
    }

    /// The user is no longer a member.
    pub fn left(&mut self, conversation: &str) {
        // What ended while no socket was open may have gone on before; only fetch tells that.
        if let Some(view) = self.live.get_mut(conversation)
            && view.entries.is_empty()
        {
            view.after = None;
        }
        if let Some(room) = self.rooms.get_mut(conversation) {
            room.held.clear();
            room.member = false;
            room.head = room.last;
        }
    }

    /// A conversation with a hole, and after which rev to fetch.
    pub fn hole(&self) -> Option<(String, u64)> {
        let hole = self.rooms.iter().find(|(_, room)| room.member && room.head > room.last);
        hole.map(|(conversation, room)| (conversation.clone(), room.last))
    }

    /// The last message held of a conversation.
    pub fn seq(&self, conversation: &str) -> u64 {
        self.rooms.get(conversation).map_or(0, |room| room.seq)
    }

    /// Whether a conversation is held up to a rev.
    pub fn holds(&self, conversation: &str, rev: u64) -> bool {
        self.rooms.get(conversation).is_some_and(|room| room.last >= rev)
    }

    /// Whether the user is a member, as far as is known here.
    pub fn is_member(&self, conversation: &str) -> bool {
        self.rooms.get(conversation).is_some_and(|room| room.member)
    }

    /// Hands everything to the recorder.
    pub fn finish(&mut self) {
        self.end_live();
        for (conversation, room) in std::mem::take(&mut self.rooms) {
            let view = self.view(&conversation);
            let (entries, name) = (room.entries, "copy".to_owned());
            self.recorder.view(View { entries, name, after: Some(0), whole: true, ..view });
        }
    }

    /// The socket is gone.
    fn end_live(&mut self) {
        self.live.drain().for_each(|(_, view)| self.recorder.view(view));
    }

    fn view(&self, conversation: &str) -> View {
        View {
            user: self.user.clone(),
            name: "socket".to_owned(),
            conversation: conversation.to_owned(),
            ..View::default()
        }
    }
}

impl Room {
    fn advance(&mut self) {
        self.held.retain(|rev, _| *rev > self.last);
        while let Some(entry) = self.held.remove(&(self.last + 1)) {
            self.take(entry);
        }
    }

    fn take(&mut self, entry: Value) {
        self.last = self.last.max(entry["rev"].as_u64().unwrap_or(0));
        self.seq = self.seq.max(entry["message"]["seq"].as_u64().unwrap_or(0));
        self.entries.push(entry);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
