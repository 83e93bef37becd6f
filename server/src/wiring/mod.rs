//! Stores and services put together, and the bodies of the commands that read the data folder.

pub mod admin;
mod documents;
mod health;
mod operate;
mod settings;
mod stores;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures_util::FutureExt;
use tokio::{sync::watch, task::JoinSet};
use verbatim_command_api::CommandApi;
use verbatim_domain::Position;
use verbatim_gateway::{Gateway, GatewayDeps};
use verbatim_ports::{auth::Authenticator, log::Stream};
use verbatim_projectors::{Handle, Projectors, runner::State};
use verbatim_query_api::QueryApi;

use crate::serve::{Services, Shell};

pub use documents::{asyncapi, openapi};
pub use operate::{rebuild, replay, status, switch};
pub use stores::Stores;

/// How long a start waits until rulings are followed. A server that is not ready by then says so by
/// its health, and serves what it can.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Opens the stores, starts the services, and returns their routes.
pub async fn start(shell: Arc<Shell>) -> anyhow::Result<Services> {
    start_on(shell, None).await
}

/// As [`start`], with every database on a SQLite VFS (for tests of power cuts).
pub async fn start_on(shell: Arc<Shell>, vfs: Option<String>) -> anyhow::Result<Services> {
    let config = Arc::clone(&shell.config);
    admin::check(&config.server.data)?;
    let opening = {
        let (folder, partitions) = (config.server.data.clone(), config.server.partitions);
        move || stores::open(&folder, partitions, vfs)
    };
    let stores =
        tokio::task::spawn_blocking(opening).await.context("opening the stores failed")??;
    let auth: Arc<dyn Authenticator> = shell.authenticator.clone();

    // Projectors outlive the signal: they rule on what is still being answered, and are told to stop
    // when sockets and requests are gone.
    let (stay, told) = watch::channel(false);
    let projectors = Arc::new(start_projectors(&stores, told));
    let mut ended = shell.shutdown.clone();
    tokio::select! {
        caught_up = catch_up(&stores, &projectors) => caught_up?,
        // What was started ends in its order, a moment later.
        () = ended.begun() => {}
    }
    let commands = command_api(&stores, &auth, &shell);
    let gateway = Arc::new(Gateway::new(
        settings::gateway(&config),
        GatewayDeps {
            log: stores.log.clone(),
            commands: commands.commands(),
            history: stores.history.clone(),
            inbox: stores.inbox.clone(),
            presence: stores.presence.clone(),
            auth: auth.clone(),
            tickets: stores.tickets.clone(),
            clock: stores.clock.clone(),
            entropy: stores.entropy.clone(),
        },
    ));
    let queries = QueryApi::new(
        verbatim_query_api::Deps {
            history: stores.history.clone(),
            inbox: stores.inbox.clone(),
            presence: stores.presence.clone(),
            authenticator: auth,
            clock: stores.clock.clone(),
            layout: stores.log.layout(),
        },
        settings::queries(&config),
    );
    let health = health::Health {
        log: stores.log.clone(),
        projectors: projectors.clone(),
        gateway: gateway.clone(),
        following: commands.following(),
        verifier: shell.verifier.clone(),
        shutdown: shell.shutdown.clone(),
        clock: stores.clock.clone(),
    };
    let router = commands
        .router()
        .merge(queries.router())
        .merge(gateway.router())
        .merge(health.router())
        .merge(verbatim_http::documents_router());

    let mut tasks = Tasks {
        background: JoinSet::new(),
        gateway: JoinSet::new(),
        drains: JoinSet::new(),
        leave: watch::Sender::new(false),
        stay,
    };
    tasks.background.spawn(commands.run(shell.shutdown.receiver()));
    let (running, mut leave) = (gateway.clone(), tasks.leave.subscribe());
    tasks.gateway.spawn(async move {
        running.run(async move { drop(leave.wait_for(|leave| *leave).await) }).await;
    });
    let listener = admin::listen(&config.server.data)?;
    tasks.background.spawn(admin::serve(listener, projectors.clone()));
    // Whoever reads that the server listens may open a socket and send at once.
    let ready = async {
        let (mut answers, mut sockets) = (commands.following(), gateway.following());
        answers.wait_for(|following| *following).await.is_ok()
            && sockets.wait_for(|following| *following).await.is_ok()
    };
    tokio::select! {
        followed = tokio::time::timeout(READY_WITHIN, ready) => if followed != Ok(true) {
            tracing::warn!("rulings cannot be followed yet; see /v1/health/ready");
        },
        () = ended.begun() => {}
    }
    let mut shutdown = shell.shutdown.clone();
    let drain = config.server.drain;
    tasks.drains.spawn(async move {
        shutdown.begun().await;
        let left = gateway.drain(drain).await;
        if left > 0 {
            tracing::warn!(left, "sockets cut off at the drain limit");
        }
    });
    Ok(Services { router, stop: stop(tasks, projectors, shell).boxed() })
}

/// What runs beside the requests.
struct Tasks {
    background: JoinSet<()>,
    gateway: JoinSet<()>,
    drains: JoinSet<()>,
    /// Tells the gateway to end.
    leave: watch::Sender<bool>,
    /// Tells the projectors to end.
    stay: watch::Sender<bool>,
}

/// Ends in the order of who needs whom: sockets, then whoever answers them, then projectors, which
/// finish their batches; the stores close when the last of them is gone.
async fn stop(mut tasks: Tasks, projectors: Arc<Handle>, shell: Arc<Shell>) -> anyhow::Result<()> {
    while tasks.drains.join_next().await.is_some() {}
    tasks.leave.send_replace(true);
    while tasks.gateway.join_next().await.is_some() {}
    tasks.background.shutdown().await;
    tasks.stay.send_replace(true);
    projectors.stop().await;
    // Nobody finds a socket that nobody answers.
    let _ = std::fs::remove_file(admin::path(&shell.config.server.data));
    Ok(())
}

/// Waits until everything that was proposed before the start is ruled on and in the inbox. After a power
/// cut the timeline may have lost rulings that sockets had seen; whoever came back before they are made
/// again would get them twice.
async fn catch_up(stores: &Stores, projectors: &Handle) -> anyhow::Result<()> {
    let layout = stores.log.layout();
    let mut all = Position { generation: layout.generation, ..Position::default() };
    for partition in 0..layout.partitions {
        let end = stores.log.end(Stream::Events, partition).await?;
        if let Some(last) = end.checked_sub(1) {
            all.include(layout.src(partition, last));
        }
    }
    let stopped = || {
        let partitions = projectors.status().into_iter().flat_map(|status| status.partitions);
        partitions.into_iter().any(|partition| {
            matches!(partition.state, State::Stopped { .. } | State::Holding { .. })
        })
    };
    for _ in 0..READY_WITHIN.as_secs() {
        if stores.inbox.reach(&all, Duration::from_secs(1)).await.is_ok() {
            return Ok(());
        }
        if stopped() {
            break;
        }
    }
    tracing::warn!("not all of chat.events is ruled on yet; see /v1/health/ready");
    Ok(())
}

fn start_projectors(stores: &Stores, told: watch::Receiver<bool>) -> Handle {
    Projectors::new(stores.log.clone(), stores.clock.clone(), told)
        .timeline(stores.conversations.clone())
        .history(stores.history_writer.clone())
        .inbox(stores.inbox.clone(), stores.history.clone(), stores.history_writer.clone())
        .start()
}

fn command_api(stores: &Stores, auth: &Arc<dyn Authenticator>, shell: &Shell) -> CommandApi {
    CommandApi::new(
        verbatim_command_api::Deps {
            log: stores.log.clone(),
            inbox: stores.inbox.clone(),
            history: stores.history.clone(),
            state: Some(stores.conversations.clone()),
            auth: auth.clone(),
            clock: stores.clock.clone(),
            entropy: stores.entropy.clone(),
        },
        settings::commands(&shell.config),
    )
}
