//! `verbatim serve` from configuration to exit.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use verbatim_http::BodyLimits;

use crate::accept::{AcceptLimits, Acceptor, Drained, TrustedProxies, connections_allowed};
use crate::auth::{DevTokens, JwtAuthenticator, Verifier};
use crate::clock::SystemClock;
use crate::config::{Config, ConfigError};
use crate::cors::{AllowedOrigins, cors};
use crate::page;
use crate::shutdown::{self, Shutdown};
use crate::telemetry::{self, Metrics};
use crate::tls::{self, TlsFiles};

/// What the shell hands to the services.
pub struct Shell {
    /// The effective settings.
    pub config: Arc<Config>,
    /// Verifies tokens; its trait is the port's.
    pub authenticator: Arc<JwtAuthenticator>,
    /// The same without a clock; tells whether all keys are there, for readiness.
    pub verifier: Arc<Verifier>,
    /// Shows when draining begins.
    pub shutdown: Shutdown,
    /// The address that is listened on; connections wait until the services are started.
    pub address: SocketAddr,
}

/// What the services hand back.
pub struct Services {
    /// All routes of the interface, without fallbacks. The shell adds the page at `/`, development
    /// tokens, the fallbacks of `verbatim_http`, CORS, the request log and the accept loop.
    pub router: Router,
    /// Ends the services when all connections are gone: flushes and closes the stores.
    pub stop: futures_util::future::BoxFuture<'static, anyhow::Result<()>>,
}

/// How long the services may take to stop beyond the drain time, which is their sockets' as well.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Bounds of the metrics' own listener.
const METRICS_LIMITS: AcceptLimits = AcceptLimits {
    connections: 32,
    header_limit: 16 * 1024,
    header_timeout: Duration::from_secs(10),
    handshake_timeout: Duration::from_secs(10),
    body: BodyLimits { bytes: 0, within: Duration::from_secs(10) },
};

/// Serves until a signal ends it. `start` builds the services; `ready` is told the address once
/// requests are answered.
///
/// Wrong settings that only show now (an unreadable certificate, say) are a [`ConfigError`] in the
/// error's chain.
pub async fn run<Start, Starting>(
    config: Config,
    start: Start,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()>
where
    Start: FnOnce(Arc<Shell>) -> Starting,
    Starting: Future<Output = anyhow::Result<Services>>,
{
    let (trigger, shutdown) = shutdown::channel();
    tls::install_crypto_provider();
    let tls = open_tls(&config)?;
    let on_hangup = reload(tls.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(shutdown::on_signals(trigger, on_hangup).context("cannot handle signals")?);
    run_until(config, tls, shutdown, &mut tasks, start, ready).await
}

/// As [`run`], but ends when `shutdown` begins; for tests and for embedding.
pub async fn run_until<Start, Starting>(
    config: Config,
    tls: Option<Arc<TlsFiles>>,
    shutdown: Shutdown,
    tasks: &mut JoinSet<()>,
    start: Start,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()>
where
    Start: FnOnce(Arc<Shell>) -> Starting,
    Starting: Future<Output = anyhow::Result<Services>>,
{
    let dev = open_dev(&config)?;
    let mut issuers = config.issuers.clone();
    issuers.extend(dev.as_ref().map(DevTokens::issuer));
    let verifier = Arc::new(Verifier::new(&issuers, &config.auth)?);
    verifier.load().await.map_err(|(place, error)| {
        let allowed = "name a file that holds a JWK set (RFC 7517)";
        ConfigError::new("auth.jwks_file", format!("{place}: {error}"), allowed)
    })?;
    let mut fresh_keys = verifier.keep_fresh();

    let listener = bind(config.server.listen, "listen").await?;
    let address = listener.local_addr().context("cannot tell the address")?;
    if let Some(metrics) = config.metrics.listen {
        serve_metrics(metrics, tasks).await?;
    }
    let config = Arc::new(config);
    let clock = Arc::new(SystemClock);
    let shell = Arc::new(Shell {
        config: Arc::clone(&config),
        authenticator: Arc::new(JwtAuthenticator::new(Arc::clone(&verifier), clock.clone())),
        verifier,
        shutdown: shutdown.clone(),
        address,
    });
    let services = start(shell).await?;
    let mut router = services.router.merge(with_page());
    if let Some(tokens) = dev {
        router = router.merge(crate::auth::dev_router(tokens, clock));
    }
    router = verbatim_http::with_fallbacks(router);
    if !config.http.allowed_origins.is_empty() {
        let origins = AllowedOrigins::new(&config.http.allowed_origins);
        router = router.layer(axum::middleware::from_fn_with_state(origins, cors));
    }
    let router = router.layer(axum::middleware::from_fn(telemetry::log_requests));
    let acceptor = Acceptor {
        router,
        tls,
        proxies: TrustedProxies::new(&config.http.trusted_proxies),
        limits: limits(&config),
    };
    ready(address);
    match Box::pin(acceptor.serve(listener, shutdown, config.server.drain)).await {
        Drained::Fully => tracing::info!("all connections ended"),
        Drained::CutOff(count) => tracing::warn!(count, "connections cut off at the drain limit"),
    }
    fresh_keys.shutdown().await;
    let patience = config.server.drain + STOP_LIMIT;
    tokio::time::timeout(patience, services.stop)
        .await
        .with_context(|| format!("the services did not stop within {patience:?}"))?
}

/// Says on standard output where it listens, and how to try it.
pub fn announce(address: SocketAddr, config: &Config) {
    let scheme = if config.tls.cert.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{address}");
    let how = if config.server.dev {
        format!(
            "open {base}/ in a browser, or get a token with\n  \
             curl {base}/v1/dev/tokens -H 'content-type: application/json' \
             -d '{{\"user_id\":\"alice\"}}'\nand send it as `Authorization: Bearer <token>`, \
             for example to {base}/v1/conversations"
        )
    } else {
        format!("curl {base}/v1/health/ready")
    };
    // A closed pipe must not end the server.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "listening on {base}\n\nTry it: {how}").and_then(|()| out.flush());
}

fn open_tls(config: &Config) -> Result<Option<Arc<TlsFiles>>, ConfigError> {
    let (Some(cert), Some(key)) = (&config.tls.cert, &config.tls.key) else {
        return Ok(None);
    };
    let files = TlsFiles::open(cert, key).map_err(|error| {
        let problem = format!("{:#}", anyhow::Error::new(error));
        ConfigError::new("tls.cert and tls.key", problem, "name a PEM chain and its private key")
    })?;
    Ok(Some(Arc::new(files)))
}

fn reload(tls: Option<Arc<TlsFiles>>) -> impl FnMut() + Send + 'static {
    move || match tls.as_ref().map(|files| files.reload()) {
        None => tracing::info!("SIGHUP: there is no certificate to read again"),
        Some(Ok(())) => tracing::info!("SIGHUP: read the certificate again"),
        Some(Err(error)) => {
            let error = anyhow::Error::new(error);
            tracing::error!("SIGHUP: keeping the old certificate: {error:#}");
        }
    }
}

fn open_dev(config: &Config) -> Result<Option<DevTokens>, ConfigError> {
    if !config.server.dev {
        return Ok(None);
    }
    let folder = &config.server.data;
    DevTokens::open(folder).map(Some).map_err(|error| {
        let problem = format!("{} cannot be used ({error})", folder.display());
        ConfigError::new("data", problem, "name a folder that the server may write to")
    })
}

async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, ConfigError> {
    TcpListener::bind(address).await.map_err(|error| {
        let problem = format!("{address} cannot be listened on ({error})");
        ConfigError::new(setting, problem, "name a free address of this machine, or port 0")
    })
}

async fn serve_metrics(address: SocketAddr, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
    let listener = bind(address, "metrics.listen").await?;
    let metrics = Metrics::install()?;
    tasks.spawn(metrics.clone().keep_tidy());
    let address = listener.local_addr().context("cannot tell the metrics' address")?;
    tracing::info!("metrics on http://{address}/metrics");
    let acceptor = Acceptor {
        router: metrics.router(),
        tls: None,
        proxies: TrustedProxies::default(),
        limits: METRICS_LIMITS,
    };
    // Draining is worth watching: the metrics go on until the process ends.
    let (trigger, never) = shutdown::channel();
    tasks.spawn(async move {
        acceptor.serve(listener, never, Duration::ZERO).await;
        drop(trigger);
    });
    Ok(())
}

fn with_page() -> Router {
    page::router().layer(axum::middleware::from_fn(page::security_headers))
}

fn limits(config: &Config) -> AcceptLimits {
    let connections = connections_allowed(config.http.connections);
    if connections < config.http.connections {
        tracing::info!(connections, "fewer connections than set: the limit of open files is lower");
    }
    AcceptLimits {
        connections,
        header_limit: config.http.header_limit,
        header_timeout: config.http.header_timeout,
        handshake_timeout: config.tls.handshake_timeout,
        body: BodyLimits { bytes: config.http.body_limit, within: config.http.body_timeout },
    }
}
