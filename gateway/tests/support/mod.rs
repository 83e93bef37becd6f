//! In-memory ports, and a client over real sockets.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod client;
pub mod fold;
pub mod parts;
pub mod ports;
pub mod world;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use verbatim_gateway::{Gateway, GatewayConfig, GatewayDeps};
use verbatim_http::ClientAddr;

pub use client::Socket;
pub use world::{World, group};

/// A gateway that listens on a port of its own.
pub struct Served {
    pub world: Arc<World>,
    pub gateway: Gateway,
    pub address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    run: Option<JoinHandle<()>>,
    serve: JoinHandle<()>,
}

/// Bounds as they are by default, with a wheel that turns as fast as the test moves the clock.
pub fn config() -> GatewayConfig {
    GatewayConfig {
        tick: Duration::from_millis(5),
        inbox_wait: Duration::from_millis(200),
        history_wait: Duration::from_millis(200),
        reconnect_spread: Duration::from_secs(3),
        ..GatewayConfig::default()
    }
}

impl Served {
    pub async fn start() -> Self {
        Self::with(World::new(2), config()).await
    }

    pub async fn with(world: Arc<World>, config: GatewayConfig) -> Self {
        let deps = GatewayDeps {
            log: world.clone(),
            commands: world.clone(),
            history: world.clone(),
            inbox: world.clone(),
            presence: world.parts.clone(),
            auth: world.parts.clone(),
            tickets: world.parts.clone(),
            clock: world.parts.clone(),
            entropy: world.parts.clone(),
        };
        let gateway = Gateway::new(config, deps);
        let (shutdown, stop) = oneshot::channel::<()>();
        let running = gateway.clone();
        let run = tokio::spawn(async move {
            running.run(async move { drop(stop.await) }).await;
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = ClientAddr(IpAddr::from([127, 0, 0, 1]));
        let router = gateway.router().layer(axum::Extension(client));
        let serve = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let served =
            Self { world, gateway, address, shutdown: Some(shutdown), run: Some(run), serve };
        served.until(|gateway| gateway.status().following).await;
        served
    }

    /// Waits until something holds, looking again whenever the gateway had a turn.
    pub async fn until(&self, holds: impl Fn(&Gateway) -> bool) {
        let reached = async {
            while !holds(&self.gateway) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached).await.expect("it never held");
    }

    pub async fn open(&self, name: &str) -> Socket {
        Socket::open(self.address, name, None).await
    }

    pub async fn resume(&self, name: &str, since: &str) -> Socket {
        Socket::open(self.address, name, Some(since)).await
    }

    /// Waits until everything on the timeline was delivered.
    pub async fn delivered(&self) {
        let position = self.world.end();
        self.until(|gateway| gateway.status().position.covers(&position)).await;
    }

    /// Moves the clock in steps that are no leap, letting the timers run at each.
    pub async fn pass(&self, mut time: Duration) {
        let step = Duration::from_secs(20);
        while !time.is_zero() {
            let now = time.min(step);
            self.world.parts.advance(now);
            time -= now;
            // Two turns of the wheel after the clock moved.
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Ends the background tasks and waits for it.
    pub async fn stop(&mut self) {
        drop(self.shutdown.take());
        if let Some(run) = self.run.take() {
            run.await.unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serve.abort();
        drop(self.shutdown.take());
    }
}
