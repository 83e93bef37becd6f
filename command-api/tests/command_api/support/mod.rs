//! A small world in memory: a log, the real rule in a loop, and the service on top.

mod history;
mod inbox;
mod log;
mod people;
mod request;
mod ruler;

use std::{sync::Arc, time::Duration};

use axum::Router;
use tokio::sync::watch;
use verbatim_command_api::{CommandApi, Config, Deps, Rate};
use verbatim_http::with_fallbacks;
use verbatim_ports::{
    auth::{Actor, Roles},
    clock::{Clock, new_command_id},
    commands::{Command, Commands, Outcome, Ruled, Submitted},
};
use verbatim_schemas::{
    CommandId, ConversationId, DeviceId, EventBody, Problem, Text, Timestamp, UserId,
    event::MessageSent,
};

pub use history::FakeHistory;
pub use inbox::FakeInbox;
pub use log::{Append, FakeLog};
pub use people::{FakeAuth, FakeClock, FakeEntropy};
pub use request::{Answer, Ask};
pub use ruler::Ruler;

/// How long the gateway waits.
pub const WAIT: Duration = Duration::from_secs(10);

/// Everything a test touches.
pub struct World {
    pub log: FakeLog,
    pub inbox: Arc<FakeInbox>,
    pub history: Arc<FakeHistory>,
    pub clock: Arc<FakeClock>,
    pub entropy: Arc<FakeEntropy>,
    pub ruler: Ruler,
    pub api: CommandApi,
    pub commands: Arc<dyn Commands>,
    pub router: Router,
    pub shutdown: watch::Sender<bool>,
    pub running: tokio::task::JoinHandle<()>,
}

/// Rates that no test meets by accident.
pub fn generous() -> Config {
    let rate = Rate { every: Duration::from_micros(1), burst: 1_000_000 };
    Config { sends: rate, creations: rate, misses: rate, others: rate, ..Config::default() }
}

impl World {
    /// A world with the default bounds that follows its rulings.
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    /// A world with these bounds that follows its rulings.
    pub async fn with(config: Config) -> Self {
        let world = Self::unopened(config);
        world.is_following(true).await;
        world
    }

    /// A world whose rulings are about to be followed.
    pub fn unopened(config: Config) -> Self {
        let clock = Arc::new(FakeClock::default());
        let entropy = Arc::new(FakeEntropy::default());
        let log = FakeLog::new(clock.clone());
        let inbox = Arc::new(FakeInbox::default());
        let history = Arc::new(FakeHistory::new(log.clone()));
        let deps = Deps {
            log: Arc::new(log.clone()),
            inbox: inbox.clone(),
            history: history.clone(),
            state: None,
            auth: Arc::new(FakeAuth),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let api = CommandApi::new(deps, config);
        let (shutdown, receiver) = watch::channel(false);
        Self {
            ruler: Ruler::start(log.clone()),
            commands: api.commands(),
            router: with_fallbacks(api.router()),
            running: tokio::spawn(api.run(receiver)),
            log,
            inbox,
            history,
            clock,
            entropy,
            api,
            shutdown,
        }
    }

    /// Waits until the rulings are followed, or are not.
    pub async fn is_following(&self, expected: bool) {
        self.api.following().wait_for(|now| *now == expected).await.unwrap();
    }

    /// A new id, later than all before.
    pub fn id(&self) -> CommandId {
        new_command_id(&*self.entropy, self.clock.now())
    }

    /// A new id of a group or channel.
    pub fn conversation_id(&self) -> ConversationId {
        ConversationId::new(self.id().uuid()).unwrap()
    }

    /// Hands a command over; its place in the order is taken.
    pub fn submit(
        &self,
        who: &str,
        id: CommandId,
        conversation: ConversationId,
        body: EventBody,
    ) -> Submitted {
        self.submit_for(WAIT, who, id, conversation, body)
    }

    /// The same with another wait.
    pub fn submit_for(
        &self,
        wait: Duration,
        who: &str,
        id: CommandId,
        conversation: ConversationId,
        body: EventBody,
    ) -> Submitted {
        self.commands.submit(Command { actor: actor(who), id, conversation, body }, wait)
    }

    /// A message under a new id.
    pub fn send(&self, who: &str, conversation: ConversationId, text: &str) -> Submitted {
        self.submit(who, self.id(), conversation, message(text))
    }

    /// A group of `members`, the first one its admin.
    pub async fn group(&self, members: &[&str]) -> ConversationId {
        let id = self.conversation_id();
        let body = serde_json::json!({"kind": "group", "name": "g", "members": &members[1..]});
        let path = format!("/v1/conversations/{id}");
        let answer = self.ask("PUT", &path).by(members[0]).json(&body).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        id
    }

    /// A request.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.router.clone(), method, path)
    }
}

/// A signed-in user.
pub fn actor(who: &str) -> Actor {
    Actor {
        user: user(who),
        device: DeviceId::default(),
        roles: Roles::default(),
        expires_at: Timestamp::MAX,
    }
}

/// A user id.
pub fn user(who: &str) -> UserId {
    who.parse().unwrap()
}

/// A message's body.
pub fn message(text: &str) -> EventBody {
    EventBody::MessageSent(MessageSent { text: Text::new(text).unwrap(), metadata: None })
}

/// The ruling of a command that was not refused.
#[track_caller]
pub fn ruled(outcome: Result<Outcome, Problem>) -> Ruled {
    match outcome {
        Ok(Outcome::Ruled(ruled)) => *ruled,
        other => panic!("not ruled: {other:?}"),
    }
}
