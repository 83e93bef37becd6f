//! Connecting without a window: load the inbox at some position, and go live from exactly there.
//!
//! The inbox and the hub follow the same timeline at their own pace. The heads are of the inbox's
//! position; under the hub's lock the rulings between that position and the hub's are delivered from
//! the hub's latest ones, and the socket is subscribed to what follows. Where they do not reach back
//! far enough the inbox is loaded again, and a partition that still lags then is marked: its heads
//! follow when the inbox caught up.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use verbatim_domain::Position;
use verbatim_ports::{
    StoreError,
    auth::Actor,
    inbox::{InboxHead, UserInbox},
    log::Stream,
};
use verbatim_schemas::{
    ConversationId, UserId, bounds,
    frames::{HeadItem, Limits, ServerFrame},
};

use crate::{
    behind::Waiting,
    config::millis,
    encode,
    hub::{Base, Plan, Standing},
    session::{Goodbye, Session},
    shared::Shared,
};

/// What the inbox said.
struct Loaded {
    all: UserInbox,
    /// What changed after `since`; none where all is new to the client.
    changed: Option<Changed>,
}

struct Changed {
    ids: HashSet<ConversationId>,
    left: Vec<ConversationId>,
    position: Position,
}

/// Signs a socket in: `welcome`, `heads`, `left`, and live from there.
pub(crate) async fn first(
    shared: &Shared,
    session: &std::sync::Arc<Session>,
    actor: &Actor,
    since: Option<Position>,
) -> Result<(), Goodbye> {
    let mut since = match since {
        Some(since) if usable(shared, &since).await => Some(since),
        _ => None,
    };
    let unavailable = |error: StoreError| {
        tracing::warn!(%error, "a socket cannot be connected: no inbox");
        Goodbye::unavailable(shared.jitter_ms())
    };
    let mut behind = BTreeSet::new();
    let stalled = shared.behind.partitions();
    let mut target = shared.hub().position();
    if let Some(since) = &since {
        target.merge(since);
    }
    target.offsets.retain(|partition, _| !stalled.contains(partition));
    for attempt in 1..=shared.config.connect_attempts.max(1) {
        // Where it is not reached in time the hub's latest rulings may still do.
        let _reached = shared.deps.inbox.reach(&target, shared.config.inbox_wait).await;
        let mut loaded = load(shared, &actor.user, since.as_ref()).await.map_err(unavailable)?;
        if loaded.changed.as_ref().is_some_and(|changed| changed.left.len() > shared.config.left) {
            // More than a greeting holds: all is new to the client, so nothing has to be named.
            (since, loaded.changed) = (None, None);
        }
        if attempt == 1 {
            // The hub is mostly a moment behind the inbox, or ahead of it.
            shared.wait_for(&loaded.all.position, shared.config.inbox_wait).await;
        }
        let last = attempt >= shared.config.connect_attempts;
        // Bounded: each round adds a partition.
        loop {
            match greet(shared, session, actor, since.as_ref(), &loaded, &behind) {
                Ok(()) => {
                    shared.behind.add(
                        behind,
                        Waiting { session: session.clone(), user: actor.user.clone(), since },
                    );
                    return Ok(());
                }
                Err(uncovered) => {
                    let again: BTreeSet<u32> = uncovered.difference(&stalled).copied().collect();
                    if !last && !again.is_empty() {
                        target = shared.hub().position();
                        target.offsets.retain(|partition, _| again.contains(partition));
                        break;
                    }
                    behind.extend(uncovered);
                }
            }
        }
    }
    Err(Goodbye::unavailable(shared.jitter_ms()))
}

/// Sends the heads of partitions that lagged, and goes live there; `others` of this socket's still lag. Gives
/// those that still lag.
pub(crate) async fn later(
    shared: &Shared,
    waiting: &Waiting,
    partitions: &BTreeSet<u32>,
    others: bool,
) -> Result<(), BTreeSet<u32>> {
    let Ok(loaded) = load(shared, &waiting.user, waiting.since.as_ref()).await else {
        return Err(partitions.clone());
    };
    shared.wait_for(&loaded.all.position, shared.config.inbox_wait).await;
    let bases = bases(&loaded.all.position, partitions.iter().copied(), &BTreeSet::new());
    let of_these = |id: ConversationId| partitions.contains(&shared.hub().partition_of(id));
    let heads: Vec<&InboxHead> =
        loaded.all.heads.iter().filter(|head| of_these(head.conversation)).collect();
    let mut greeting = heads_frames(shared, &heads, &loaded, others);
    greeting.extend(left_frames(&loaded, of_these));
    attach(shared, &waiting.session, &waiting.user, &bases, &heads, &greeting)
}

/// A position that a client brings is used where it fits this log; else all is new to the client. One
/// beyond the end is of another log, or of this one before it was restored from a copy: what came since
/// would be taken for old.
async fn usable(shared: &Shared, since: &Position) -> bool {
    let (generation, partitions, position) = {
        let hub = shared.hub();
        (hub.generation(), hub.partition_count(), hub.position())
    };
    if since.generation != generation || since.offsets.keys().any(|id| *id >= partitions) {
        return false;
    }
    for (partition, offset) in &since.offsets {
        if position.offsets.get(partition).is_some_and(|here| here >= offset) {
            continue;
        }
        match shared.deps.log.end(Stream::Events, *partition).await {
            Ok(end) if *offset < end => {}
            Ok(_) => return false,
            Err(error) => {
                tracing::warn!(%error, "a position cannot be compared with the log");
                return false;
            }
        }
    }
    true
}

async fn load(
    shared: &Shared,
    user: &UserId,
    since: Option<&Position>,
) -> Result<Loaded, StoreError> {
    let inbox = &shared.deps.inbox;
    // All first: the position of it is where live begins, and what changed is asked for after it,
    // so that nothing that changed before is missed.
    let all = inbox.user(user, None).await?;
    let changed = match since {
        None => None,
        Some(since) => {
            let UserInbox { heads, left, position } = inbox.user(user, Some(since)).await?;
            let ids = heads.iter().map(|head| head.conversation).collect();
            Some(Changed { ids, left, position })
        }
    };
    Ok(Loaded { all, changed })
}

fn greet(
    shared: &Shared,
    session: &Session,
    actor: &Actor,
    since: Option<&Position>,
    loaded: &Loaded,
    behind: &BTreeSet<u32>,
) -> Result<(), BTreeSet<u32>> {
    let partitions = shared.hub().partition_count();
    let bases = bases(&loaded.all.position, 0..partitions, behind);
    let partition_of = |id| verbatim_domain::partition::of(id, partitions);
    let here = |id: ConversationId| !behind.contains(&partition_of(id));
    let heads: Vec<&InboxHead> =
        loaded.all.heads.iter().filter(|head| here(head.conversation)).collect();
    let resumed = loaded.changed.is_some();
    let position = position(shared, since, &bases);
    let mut greeting = vec![welcome(shared, session, actor, &position, resumed)];
    greeting.extend(heads_frames(shared, &heads, loaded, !behind.is_empty()));
    greeting.extend(left_frames(loaded, here));
    attach(shared, session, &actor.user, &bases, &heads, &greeting)
}

fn attach(
    shared: &Shared,
    session: &Session,
    user: &UserId,
    bases: &BTreeMap<u32, Base>,
    heads: &[&InboxHead],
    greeting: &[Bytes],
) -> Result<(), BTreeSet<u32>> {
    let conversations: Vec<Standing> = heads
        .iter()
        .map(|head| Standing {
            id: head.conversation,
            kind: head.kind,
            head_rev: head.head_rev,
            head_seq: head.head_seq,
        })
        .collect();
    let plan = Plan { session, user, bases, conversations: &conversations, greeting };
    let now = shared.time.elapsed();
    let mut hub = shared.hub();
    if hub.attach(&plan, now)?.first {
        // Under the hub's lock, as going is.
        shared.presence.arrived(user);
    }
    Ok(())
}

fn bases(
    position: &Position,
    partitions: impl Iterator<Item = u32>,
    behind: &BTreeSet<u32>,
) -> BTreeMap<u32, Base> {
    let base = |partition: &u32| {
        if behind.contains(partition) {
            Base::Behind
        } else {
            Base::At(position.offsets.get(partition).copied())
        }
    };
    partitions.map(|partition| (partition, base(&partition))).collect()
}

/// What the client may bring as `since` next time: what the heads include, and of partitions whose
/// heads were not sent what it had before.
fn position(shared: &Shared, since: Option<&Position>, bases: &BTreeMap<u32, Base>) -> Position {
    let mut position = Position { generation: shared.hub().generation(), ..Position::default() };
    for (partition, base) in bases {
        let offset = match base {
            Base::At(offset) => *offset,
            Base::Behind => since.and_then(|since| since.offsets.get(partition).copied()),
        };
        position.offsets.extend(offset.map(|offset| (*partition, offset)));
    }
    position
}

fn welcome(
    shared: &Shared,
    session: &Session,
    actor: &Actor,
    position: &Position,
    resumed: bool,
) -> Bytes {
    let config = &shared.config;
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    encode::encode(&ServerFrame::Welcome {
        session_id: format!("{}-{:x}", shared.incarnation.0.simple(), session.number),
        user_id: actor.user.clone(),
        device: actor.device.clone(),
        position: position.token(),
        resumed,
        server_time: shared.time.wall(),
        limits: Limits {
            message_bytes: config.message_bytes.into(),
            text_bytes: bounds::TEXT_BYTES as u64,
            metadata_bytes: bounds::METADATA_BYTES as u64,
            sends_per_second: config.sends_per_second,
            sends_burst: config.sends_burst,
            watch_users: narrow(config.watch_users),
            view_channels: narrow(config.view_channels),
        },
        ping_interval_ms: millis(config.ping_interval),
    })
}

/// The heads that are news to the client; at least one frame.
fn heads_frames(
    shared: &Shared,
    heads: &[&InboxHead],
    loaded: &Loaded,
    behind: bool,
) -> Vec<Bytes> {
    let partitions = shared.hub().partition_count();
    let is_new = |head: &InboxHead| match &loaded.changed {
        None => true,
        Some(changed) => {
            // An inbox that was flushed in between says nothing of what changed.
            let partition = verbatim_domain::partition::of(head.conversation, partitions);
            changed.ids.contains(&head.conversation)
                || !changed.position.covers(&loaded.all.position.only(partition))
        }
    };
    let (per_frame, most) = (shared.config.heads_per_frame.max(1), shared.config.heads);
    let mut items: Vec<HeadItem> =
        heads.iter().filter(|head| is_new(head)).take(most + 1).map(|head| item(head)).collect();
    let more = items.len() > most;
    items.truncate(most);
    let chunks = if items.is_empty() { vec![&[][..]] } else { items.chunks(per_frame).collect() };
    chunks
        .into_iter()
        .map(|chunk| encode::encode(&ServerFrame::Heads { items: chunk.to_vec(), more, behind }))
        .collect()
}

fn item(head: &InboxHead) -> HeadItem {
    HeadItem {
        conversation_id: head.conversation,
        head_rev: head.head_rev,
        head_seq: head.head_seq,
        unread: head.unread(),
        read: head.read,
    }
}

/// Memberships that ended since. One that stands at the position of the heads ends live.
fn left_frames(loaded: &Loaded, here: impl Fn(ConversationId) -> bool) -> Vec<Bytes> {
    let Some(changed) = &loaded.changed else { return Vec::new() };
    let members: HashSet<ConversationId> =
        loaded.all.heads.iter().map(|head| head.conversation).collect();
    let left = changed.left.iter().filter(|id| here(**id) && !members.contains(id));
    left.map(|id| encode::left(*id)).collect()
}
