//! Settings that are right by themselves but not together.

use super::error::ConfigError;
use super::kinds_net::Role;
use super::{Config, Layers};

/// Checks what every command needs.
pub fn together(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    let wrong = |key, problem: String, allowed: &str| {
        Err(ConfigError::new(layers.name_of(key), problem, allowed))
    };
    match (&config.tls.cert, &config.tls.key) {
        (Some(_), None) => return wrong("tls.cert", "it has no key".into(), "set tls.key, too"),
        (None, Some(_)) => {
            return wrong("tls.key", "it has no certificate".into(), "set tls.cert, too");
        }
        _ => {}
    }
    if config.ws.silence_timeout <= config.ws.ping_interval {
        let problem = "it is not above ws.ping_interval".into();
        return wrong(
            "ws.silence_timeout",
            problem,
            "leave room for at least one answer to a ping",
        );
    }
    if config.rates.send_burst < config.rates.sends_per_second {
        let problem = "it is below rates.sends_per_second".into();
        return wrong("rates.send_burst", problem, "allowed is at least one second's sends");
    }
    if crate::telemetry::check_level(&config.log.level).is_err() {
        let problem = format!("{} is no filter", super::error::quoted(&config.log.level));
        return wrong(
            "log.level",
            problem,
            "allowed is a level or directives such as info,hyper=warn",
        );
    }
    Ok(())
}

/// Checks what `serve` needs beyond that.
pub fn for_serving(config: &Config, layers: &Layers) -> Result<(), ConfigError> {
    let address = config.server.listen;
    if config.server.dev && !address.ip().is_loopback() {
        return Err(ConfigError::new(
            layers.name_of("listen"),
            format!("development mode hands tokens to everyone and {address} is not loopback"),
            "use a loopback address such as 127.0.0.1:8080, or leave --dev out",
        ));
    }
    if let Some(missing) = Role::ALL.iter().find(|role| !config.server.roles.contains(role)) {
        let name = super::kinds_net::ROLE_WORDS.iter().find(|(_, role)| role == missing);
        return Err(ConfigError::new(
            layers.name_of("roles"),
            format!("{} is left out", name.map_or("a role", |(name, _)| name)),
            "the embedded back end is one process: leave the setting out or name all four roles",
        ));
    }
    if config.issuers.is_empty() && !config.server.dev {
        return Err(ConfigError::new(
            "auth",
            "nobody could sign in because no key is configured",
            "set VERBATIM_AUTH_SECRET (at least 32 bytes) or VERBATIM_AUTH_JWKS_URL, \
             or try it out with `verbatim serve --dev`",
        ));
    }
    if config.metrics.listen == Some(address) && address.port() != 0 {
        return Err(ConfigError::new(
            layers.name_of("metrics.listen"),
            format!("{address} serves the interface already"),
            "give the metrics a port of their own",
        ));
    }
    Ok(())
}
