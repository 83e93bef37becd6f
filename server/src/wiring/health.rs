//! Health: `live` says that the process answers; `ready` that it can do its work.

use std::sync::Arc;

use axum::{Json, Router, extract::State, response::IntoResponse};
use serde_json::{Value, json};
use tokio::sync::watch;
use verbatim_gateway::Gateway;
use verbatim_http::{Mount, Refusal};
use verbatim_ports::{
    clock::Clock,
    log::{EventLog, Stream},
};
use verbatim_projectors::{Handle, readiness};
use verbatim_schemas::{
    Code, Problem,
    routes::{self, Service},
};

use crate::{auth::Verifier, shutdown::Shutdown};

/// What readiness looks at.
#[derive(Clone)]
pub struct Health {
    /// The streams.
    pub log: Arc<dyn EventLog>,
    /// The projectors of this process.
    pub projectors: Arc<Handle>,
    /// The sockets of this process.
    pub gateway: Arc<Gateway>,
    /// Whether the command handler sees rulings.
    pub following: watch::Receiver<bool>,
    /// Whether all keys are there.
    pub verifier: Arc<Verifier>,
    /// Whether the process is about to end.
    pub shutdown: Shutdown,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Health {
    /// The two routes.
    pub fn router(self) -> Router {
        Mount::new(Service::Server)
            .route(&routes::HEALTH_LIVE, async || Json(json!({ "status": "live" })))
            .route(&routes::HEALTH_READY, ready)
            // The token route is there in development mode only.
            .finish_partly()
            .with_state(self)
    }

    /// What keeps this process from doing its work, in words for an operator.
    async fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for stream in [Stream::Events, Stream::Timeline] {
            // Whoever is not ready gets no sends, and so would never find out that they work again.
            if self.log.failing(stream).is_some()
                && let Err(error) = self.log.append(stream, Vec::new()).await
            {
                reasons.push(format!("{} cannot be written: {error}", stream.name()));
            }
        }
        if self.shutdown.has_begun() {
            reasons.push("the server is draining".to_owned());
        }
        if !*self.following.borrow() {
            reasons.push("rulings cannot be followed for answers".to_owned());
        }
        if !self.gateway.status().following {
            reasons.push("rulings cannot be followed for sockets".to_owned());
        }
        if !self.verifier.is_ready() {
            reasons.push("keys to verify tokens with are missing".to_owned());
        }
        let unready = readiness::unready(&self.projectors.status(), self.clock.now());
        reasons.extend(unready.into_iter().map(|unready| match unready.partition {
            Some(partition) => format!("{} {partition}: {}", unready.projection, unready.reason),
            None => format!("{}: {}", unready.projection, unready.reason),
        }));
        reasons
    }
}

/// 200, or 503 with the reasons in `detail`.
async fn ready(State(health): State<Health>) -> axum::response::Response {
    let reasons = health.reasons().await;
    if reasons.is_empty() {
        let body: Value = json!({ "status": "ready" });
        return Json(body).into_response();
    }
    let problem = Problem::new(Code::Unavailable).detail(reasons.join("; ")).retry_after_ms(1_000);
    Refusal(problem).into_response()
}
