//! All settings, by group. The bounds and defaults are those of the public interface.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::kinds::{
    Address, Count, Flag, HOUR, KIB, List, MIB, MINUTE, Maybe, OneOf, Path, SECOND, SharedSecret,
    Size, Span, Text,
};
use super::kinds_net::{
    Algorithm, KEY_SET_ALGORITHM_WORDS, KeySetUrl, Network, Origin, ROLE_WORDS, Role,
};
use super::secret::Secret;
use super::setting::settings;

const MILLI: Duration = Duration::from_millis(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

settings! {
    /// What is served, where, and from which data.
    pub struct ServerSettings in "" {
        /// The address and port that REST, WebSockets and the page are served on.
        listen: SocketAddr = "127.0.0.1:8080", Address;
        /// The data folder: the log, the read models and the development secret.
        data: PathBuf = "verbatim-data", Path("a folder");
        /// The services to run. The embedded back end is one process and takes all of them only.
        roles: Vec<Role> = "command-api,projectors,query-api,gateway", List(OneOf(ROLE_WORDS));
        /// Development mode: loopback only; makes a shared secret in the data folder
        /// and enables POST /v1/dev/tokens.
        dev: bool = "false", Flag;
        /// The number of partitions of a new log. It is fixed once the log exists.
        partitions: u32 = "8", Count(1, 64);
        /// How long requests and sockets may take to end after SIGTERM before they are cut off.
        drain: Duration = "20s", Span(Duration::ZERO, HOUR);
    }
}

settings! {
    /// Bounds of HTTP.
    pub struct HttpSettings in "http." {
        /// The largest request body; a larger one answers 413 too_large.
        body_limit: usize = "256KiB", Size(KIB, 64 * MIB);
        /// The time within which a body must arrive; later answers 408 timeout.
        body_timeout: Duration = "10s", Span(MILLI, TEN_MINUTES);
        /// The size of the request line and all headers together;
        /// more answers 431 headers_too_large.
        header_limit: usize = "16KiB", Size(KIB, 48 * KIB);
        /// The time within which the headers must arrive, else the connection is closed.
        /// An idle connection is closed after it, too: behind a proxy that keeps connections,
        /// set it above the proxy's own idle time.
        header_timeout: Duration = "10s", Span(MILLI, TEN_MINUTES);
        /// The most connections at once, WebSockets included; one more answers 503 unavailable.
        /// Lowered to what the limit of open files allows.
        connections: u32 = "1000000", Count(1, 10_000_000);
        /// Web origins besides the server's own whose pages may open WebSockets and send requests.
        allowed_origins: Vec<String> = "", List(Origin);
        /// Proxies whose X-Forwarded-For is believed. From anyone else it is ignored.
        trusted_proxies: Vec<IpNet> = "", List(Network);
    }
}

settings! {
    /// Bounds of WebSockets.
    pub struct WsSettings in "ws." {
        /// The time within which a socket must say hello, else it is closed with 4001.
        hello_timeout: Duration = "5s", Span(MILLI, TEN_MINUTES);
        /// The largest message in either direction, all fragments together;
        /// a larger one closes with 1009.
        message_limit: usize = "128KiB", Size(32 * KIB, 16 * MIB);
        /// The most fragments of one message; more close with 1009.
        fragments: u32 = "64", Count(1, 4096);
        /// Pings a client may send in a second; more close with 4029.
        pings_per_second: u32 = "10", Count(1, 1000);
        /// Sockets of one user at once; one more closes the user's oldest with 4009.
        sockets_per_user: u32 = "10", Count(1, 10_000);
        /// Sockets of one address at once; one more answers 429 too_many_connections.
        sockets_per_address: u32 = "100", Count(1, 1_000_000);
        /// What may wait to be sent to one socket; more closes it with 4008.
        backlog_limit: usize = "256KiB", Size(128 * KIB, 64 * MIB);
        /// How long the oldest frame may wait to be sent; longer closes the socket with 4008.
        backlog_timeout: Duration = "30s", Span(SECOND, TEN_MINUTES);
        /// How often the server pings a socket.
        ping_interval: Duration = "30s", Span(SECOND, TEN_MINUTES);
        /// How long a socket may be silent before it is closed; above ws.ping_interval.
        silence_timeout: Duration = "75s", Span(SECOND, HOUR);
    }
}

settings! {
    /// Rates a user; above them answers 429 rate_limited with the time to wait.
    pub struct RateSettings in "rates." {
        /// Messages a user may send in a second, in the long run.
        sends_per_second: u32 = "20", Count(1, 1_000_000);
        /// Messages a user may send at once.
        send_burst: u32 = "60", Count(1, 1_000_000);
        /// Conversations a user may create in an hour, all at once if need be.
        conversations_per_hour: u32 = "60", Count(1, 1_000_000);
        /// Commands a minute to conversations that the user is not known to be in.
        misses_per_minute: u32 = "30", Count(1, 1_000_000);
    }
}

settings! {
    /// Receipts.
    pub struct ReceiptSettings in "receipts." {
        /// Up to how many members a conversation shows its receipts to everyone; above, only to
        /// oneself. The rule records none above 256, so it can only be lowered.
        shown_up_to_members: u32 = "256", Count(0, 256);
    }
}

settings! {
    /// Who may use the server: one issuer here, more of them as [[auth.issuers]] in the file.
    pub struct AuthSettings in "auth." {
        /// The shared secret of HS256 tokens. Set one of secret, secret_file, jwks_file, jwks_url.
        secret: Option<Secret> = "", Maybe(SharedSecret);
        /// A file that holds the shared secret; blanks at its end are dropped.
        secret_file: Option<PathBuf> = "", Maybe(Path("a file"));
        /// A file that holds the issuer's public keys as a JWK set.
        jwks_file: Option<PathBuf> = "", Maybe(Path("a file"));
        /// The URL of the issuer's public keys as a JWK set.
        jwks_url: Option<reqwest::Url> = "", Maybe(KeySetUrl);
        /// What a token's iss must be. Unset: it is not checked.
        issuer: Option<String> = "", Maybe(Text("a text"));
        /// What a token's aud must hold one of. Unset: it is not checked.
        audience: Vec<String> = "", List(Text("a text"));
        /// The algorithms that the keys of a JWK set are used with.
        algorithms: Vec<Algorithm> = "ES256,RS256,EdDSA", List(OneOf(KEY_SET_ALGORITHM_WORDS));
        /// How far the clocks of the issuer and this server may differ.
        leeway: Duration = "30s", Span(Duration::ZERO, TEN_MINUTES);
        /// The longest token; a longer one answers 401 unauthenticated.
        token_limit: usize = "8KiB", Size(KIB, 16 * KIB);
        /// How often a JWK set is read again.
        jwks_refresh: Duration = "5m", Span(SECOND, DAY);
        /// The least time between two readings of a JWK set because of an unknown key id.
        jwks_cooldown: Duration = "10s", Span(MILLI, HOUR);
    }
}

settings! {
    /// TLS. Without a certificate the server speaks plain HTTP.
    pub struct TlsSettings in "tls." {
        /// The certificate chain as PEM, read again on SIGHUP. Needs tls.key.
        cert: Option<PathBuf> = "", Maybe(Path("a PEM file"));
        /// The certificate's private key as PEM.
        key: Option<PathBuf> = "", Maybe(Path("a PEM file"));
        /// The time within which a client must finish the handshake.
        handshake_timeout: Duration = "10s", Span(MILLI, MINUTE);
    }
}

settings! {
    /// Metrics.
    pub struct MetricsSettings in "metrics." {
        /// The address of GET /metrics (Prometheus text). Unset: there is none.
        /// It has no authentication: keep it on loopback or a private network.
        listen: Option<SocketAddr> = "", Maybe(Address);
    }
}

settings! {
    /// The log of what the server does, on standard error.
    pub struct LogSettings in "log." {
        /// How lines are written.
        format: LogFormat = "text", OneOf(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        /// What is written: error, warn, info, debug or trace, or filter directives such as
        /// info,verbatim_gateway=debug.
        level: String = "info", Text("a level or filter directives");
    }
}
