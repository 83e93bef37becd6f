//! Configuration: flags, then `VERBATIM_*`, then the TOML file, then defaults.
//!
//! Every setting is one line in [`groups`]. Whatever is wrong ends in one sentence that names
//! the setting as the user wrote it, what is wrong and what is allowed.

mod checks;
mod error;
mod given;
pub mod groups;
mod issuers;
mod kinds;
mod kinds_net;
mod layers;
mod secret;
mod setting;
mod show;

use std::io::Read;
use std::path::{Path, PathBuf};

pub use error::ConfigError;
pub use groups::{
    AuthSettings, HttpSettings, LogFormat, LogSettings, MetricsSettings, RateSettings,
    ReceiptSettings, ServerSettings, TlsSettings, WsSettings,
};
pub use issuers::{IssuerSettings, KeySource};
pub use kinds_net::{Algorithm, Role};
pub use layers::{ENV_CONFIG, Layers};
pub use secret::Secret;
pub use setting::Setting;
pub use show::{render_settings, render_table};

use setting::{Group, Shown};

/// The largest configuration file.
const FILE_MAX: u64 = 1024 * 1024;

macro_rules! groups {
    ($($(#[doc = $doc:literal])+ $field:ident: $group:ty,)+) => {
        /// The effective settings.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            $($(#[doc = $doc])+ pub $field: $group,)+
            /// The issuers whose tokens are taken.
            pub issuers: Vec<IssuerSettings>,
        }

        impl Config {
            /// Reads all groups from the layers and checks that they fit together.
            pub fn from_layers(layers: Layers) -> Result<Self, ConfigError> {
                $(let $field = <$group>::read(&layers)?;)+
                let mut config = Self { $($field,)+ issuers: Vec::new() };
                config.issuers = issuers::issuers(&config.auth, &layers)?;
                checks::together(&config, &layers)?;
                Ok(config)
            }

            fn shown(&self) -> Vec<Shown> {
                let mut all = Vec::new();
                $(all.extend(self.$field.show());)+
                all
            }
        }

        /// Describes every setting, in the order in which they are documented.
        pub fn all_settings() -> Vec<Setting> {
            let mut all = Vec::new();
            $(all.extend(<$group>::table());)+
            all
        }
    };
}

groups! {
    /// What is served, where, and from which data.
    server: ServerSettings,
    /// Bounds of HTTP.
    http: HttpSettings,
    /// Bounds of WebSockets.
    ws: WsSettings,
    /// Rates a user.
    rates: RateSettings,
    /// Receipts.
    receipts: ReceiptSettings,
    /// Who may use the server.
    auth: AuthSettings,
    /// TLS.
    tls: TlsSettings,
    /// Metrics.
    metrics: MetricsSettings,
    /// The log of what the server does.
    log: LogSettings,
}

/// The keys of all settings.
pub fn known_keys() -> Vec<&'static str> {
    all_settings().into_iter().map(|setting| setting.key).collect()
}

/// What the command line said.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<String>,
    /// `--data`
    pub data: Option<String>,
    /// `--roles`
    pub roles: Option<String>,
    /// `--dev`
    pub dev: bool,
    /// `--config`
    pub config: Option<PathBuf>,
}

impl Config {
    /// Reads flags, environment and file. Good for every command; `serve` uses
    /// [`Config::load_for_serving`].
    pub fn load(
        flags: &Flags,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::from_layers(layers(flags, env)?)
    }

    /// As [`Config::load`], and refuses what cannot be served: development mode on an open
    /// address, no keys at all, a subset of the roles.
    pub fn load_for_serving(
        flags: &Flags,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let layers = layers(flags, env)?;
        let config = Self::from_layers(layers.clone())?;
        checks::for_serving(&config, &layers)?;
        Ok(config)
    }
}

fn layers(
    flags: &Flags,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Layers, ConfigError> {
    let known = known_keys();
    let mut layers = Layers::default();
    let named = [("listen", &flags.listen), ("data", &flags.data), ("roles", &flags.roles)];
    for (key, value) in named {
        if let Some(value) = value {
            layers.set_flag(key, value);
        }
    }
    if flags.dev {
        layers.set_flag("dev", "true");
    }
    let env: Vec<(String, String)> = env.collect();
    let from_env = env.iter().find(|(name, value)| name == ENV_CONFIG && !value.is_empty());
    let file = match (&flags.config, from_env) {
        (Some(path), _) => Some(("--config", path.clone())),
        (None, Some((_, path))) => Some((ENV_CONFIG, PathBuf::from(path))),
        (None, None) => None,
    };
    layers.set_env(env.into_iter(), &known)?;
    if let Some((setting, path)) = file {
        let text = read_file(setting, &path)?;
        layers.set_file(&path.display().to_string(), &text, &known)?;
    }
    Ok(layers)
}

fn read_file(setting: &str, path: &Path) -> Result<String, ConfigError> {
    let wrong = |problem: String| {
        let problem = format!("{} {problem}", path.display());
        ConfigError::new(setting, problem, "name a TOML file of at most 1 MiB")
    };
    let file = std::fs::File::open(path).map_err(|error| wrong(format!("({error})")))?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(format!("cannot be read ({error})")))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(wrong("is too large".into()));
    }
    String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8".into()))
}

/// The process's environment as text. A name or value that is not Unicode is shown as such.
pub fn process_env() -> impl Iterator<Item = (String, String)> {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

#[cfg(test)]
mod tests;
