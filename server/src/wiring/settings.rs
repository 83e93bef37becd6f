//! From the operator's settings to the services' own.

use std::time::Duration;

use verbatim_command_api::Rate;
use verbatim_gateway::GatewayConfig;

use crate::config::Config;

/// What the gateway is told.
pub fn gateway(config: &Config) -> GatewayConfig {
    let (ws, rates) = (&config.ws, &config.rates);
    GatewayConfig {
        origins: config.http.allowed_origins.clone(),
        message_bytes: small(ws.message_limit),
        fragments: u16::try_from(ws.fragments).unwrap_or(u16::MAX),
        pings_per_second: ws.pings_per_second,
        sockets_per_user: ws.sockets_per_user as usize,
        sockets_per_address: ws.sockets_per_address,
        hello_within: ws.hello_timeout,
        backlog_bytes: ws.backlog_limit,
        backlog_age: ws.backlog_timeout,
        ping_interval: ws.ping_interval,
        silence: ws.silence_timeout,
        receipts_public_members: config.receipts.shown_up_to_members,
        sends_per_second: rates.sends_per_second,
        sends_burst: rates.send_burst,
        ..GatewayConfig::default()
    }
}

/// What the command handler is told.
pub fn commands(config: &Config) -> verbatim_command_api::Config {
    const HOUR: Duration = Duration::from_secs(3_600);
    const MINUTE: Duration = Duration::from_secs(60);
    let rates = &config.rates;
    // All at once if need be: the burst is the whole of the period.
    let whole = |count: u32, period: Duration| Rate { every: period / count, burst: count };
    verbatim_command_api::Config {
        sends: Rate {
            every: Duration::from_secs(1) / rates.sends_per_second,
            burst: rates.send_burst,
        },
        creations: whole(rates.conversations_per_hour, HOUR),
        misses: whole(rates.misses_per_minute, MINUTE),
        drain: config.server.drain,
        ..verbatim_command_api::Config::default()
    }
}

/// What the reads are told.
pub fn queries(config: &Config) -> verbatim_query_api::Config {
    verbatim_query_api::Config {
        receipts_public_members: config.receipts.shown_up_to_members,
        ..verbatim_query_api::Config::default()
    }
}

fn small(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
